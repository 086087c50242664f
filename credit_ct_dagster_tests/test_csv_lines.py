"""CSV of other programs: separators, headers, encodings, pipes."""

import os
import threading
from pathlib import Path

import pytest

from credit_ct_dagster.csv_lines import CsvLines, Place, separator_of
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading.csv_files import check_labels

_HEADER = "id,customer_id,date,credit_score\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file under test lies."""
    return tmp_path / "rows.csv"


def _refusal(path: Path, text: str | bytes, separator: str = ",") -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(FileError) as refused:
        check_labels(path, separator)
    return refused.value.sentence.removeprefix(f"{path}, ")


@pytest.mark.parametrize(
    ("text", "found", "option"),
    [
        ("id;customer_id;date;credit_score\n1;2;2025-01-05;Poor\n", "semicolons", ";"),
        ("1\t2\t2025-01-05\tPoor\n", "tabs", "tab"),
        ("1|2|2025-01-05|Poor\n", "vertical bars", "|"),
        ("sep=;\n1;2;2025-01-05;Poor\n", "semicolons", ";"),
    ],
)
def test_another_separator_is_named_and_taken_when_asked(
    path: Path, text: str, found: str, option: str
) -> None:
    """Nobody has to find out from a count of cells; Excel's first line is understood."""
    message = _refusal(path, text)
    assert f"has {found} between its cells, not commas" in message
    assert f"--separator '{option}'" in message
    assert len(check_labels(path, separator_of(option)).frame()) == 1


def test_the_comma_is_named_where_another_separator_was_asked_for(path: Path) -> None:
    """A separator that was asked for in error is found in the same way."""
    message = _refusal(path, _HEADER + "1,2,2025-01-05,Poor\n", ";")
    assert message.startswith("line 1: the line has commas between its cells, not semicolons.")
    assert "line 1: 'sep=;' has semicolons" in _refusal(path, "sep=;\n1,2,2025-01-05,Poor\n")


@pytest.mark.parametrize("text", ["auto", '"', "x", ""])
def test_what_cannot_separate_cells_is_no_separator(text: str) -> None:
    """One character, or the word for a tab."""
    with pytest.raises(ValueError, match="is no separator"):
        separator_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("," + _HEADER + "0,1,2,2025-01-05,Poor\n", "as pandas writes its index"),
        ("Unnamed: 0," + _HEADER, "as pandas writes its index"),
        ("0,1,2,2025-01-05,Poor\n", "line 1: 5 cells instead of 4. The first cell looks like an"),
        ("id,customer_id,date,credit_score,\n", "line 1: the header ends with a separator"),
        (_HEADER + "1,2,2025-01-05,Poor,\n", "5 cells instead of 4. The line ends with a sep"),
        ("id,,customer_id,,date,credit_score\n", "has 2 columns without a name"),
    ],
)
def test_an_index_column_and_a_trailing_separator_are_named(
    path: Path, text: str, message: str
) -> None:
    """What pandas and spreadsheets add to a file is recognised."""
    assert message in _refusal(path, text)


@pytest.mark.parametrize("line", [1, 3, 900])
def test_an_encoding_error_has_the_line_that_it_is_in(path: Path, line: int) -> None:
    """Not the line up to which a buffer had been read."""
    rows = [f"{n},2,2025-01-05,Poor\n".encode() for n in range(1000)]
    rows[line - 1] = b"\xe9,2,2025-01-05,Poor\n"
    message = _refusal(path, b"".join(rows))
    assert message.startswith(f"line {line}: this is not CSV in UTF-8 (byte 0xe9 at character 1)")


def test_a_row_over_several_lines_has_its_first_one(path: Path) -> None:
    """Where an editor finds it."""
    quoted = '"Great\n\nindeed"'
    assert _refusal(path, f"1,2,2025-01-05,Poor\n1,3,2025-01-05,{quoted}\n").startswith("line 2:")


def test_a_pipe_can_be_loaded(path: Path) -> None:
    """`credit-ct load --labels <(zcat labels.csv.gz)`: it is read once, and used twice."""
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("1,2,2025-01-05,Poor\n",))
    writer.start()
    assert len(check_labels(path).frame()) == 1
    writer.join()


def test_rows_that_nobody_reads_to_the_end_end_quietly(path: Path) -> None:
    """Also where the file was closed before them, as garbage may be."""
    path.write_text("id,name\n1,a\n2,b\n")
    lines = CsvLines(path, ["id", "name"], [])
    with path.open("rb") as binary:
        rows = lines.rows_from(binary, Place())
        next(rows)
    rows.close()
