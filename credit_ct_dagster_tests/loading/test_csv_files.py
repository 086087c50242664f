"""CSV files: what is read, and what is refused with its line."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.csv_lines import numbers_of
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading import csv_files
from credit_ct_dagster.loading.csv_files import check_features, check_labels
from credit_ct_dagster.modeling import schema

_ROW = dict.fromkeys(schema.FEATURE_COLUMNS, "1") | {
    "id": "7",
    "customer_id": "8",
    "date": "2025-01-05",
    "occupation": "Writer",
    "type_of_loan": "auto loan,payday loan",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file under test lies."""
    return tmp_path / "rows.csv"


def read_labels(path: Path) -> pd.DataFrame:
    """All rows of a file of labels."""
    return check_labels(path).frame()


def read_features(path: Path) -> pd.DataFrame:
    """All rows of a file of features."""
    return check_features(path).frame()


def _write(path: Path, rows: list[dict[str, str]], columns: list[str], *, header: bool) -> None:
    pd.DataFrame(rows)[columns].to_csv(path, index=False, header=header)


def test_a_header_allows_any_order(path: Path) -> None:
    """Columns are found by name."""
    _write(path, [_ROW], schema.FEATURE_COLUMNS[::-1], header=True)
    frame = read_features(path)
    assert list(frame.columns) == schema.FEATURE_COLUMNS
    assert frame.iloc[0]["type_of_loan"] == "auto loan,payday loan"


def test_without_a_header_the_order_is_the_tables(path: Path) -> None:
    """A file in the order of the table needs no header."""
    _write(path, [_ROW], schema.FEATURE_COLUMNS, header=False)
    frame = read_features(path)
    assert len(frame) == 1
    assert frame.iloc[0]["occupation"] == "Writer"


def test_personal_columns_may_be_left_out(path: Path) -> None:
    """Name and ssn are not needed for anything."""
    columns = [c for c in schema.FEATURE_COLUMNS if c not in schema.PERSONAL]
    _write(path, [_ROW], columns, header=True)
    assert list(read_features(path).columns) == columns


def test_empty_cells_are_null(path: Path) -> None:
    """An empty cell is NULL for words and numbers, and a zero is a zero."""
    _write(path, [_ROW | {"age": "", "credit_mix": "", "num_of_loan": "0"}],
           schema.FEATURE_COLUMNS, header=True)  # fmt: skip
    row = read_features(path).iloc[0]
    assert pd.isna(row["age"])
    assert row["credit_mix"] is None
    assert row["num_of_loan"] == 0


def test_a_date_that_does_not_exist_can_be_loaded(path: Path) -> None:
    """2025-02-29 occurs in real files; the merge counts it and leaves it out."""
    path.write_text("id,customer_id,date,credit_score\n1,2,2025-02-29,Poor\n")
    assert read_labels(path)["date"].tolist() == ["2025-02-29"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("id,customer_id,date,credit_score\n", "has a header, but no rows"),
        ("1,2,2025-13-01,Poor\n", "date '2025-13-01' is not written YYYY-MM-DD"),
        ("1,2,\u0662025-01-01,Poor\n", "is not written YYYY-MM-DD"),
        ("id,customer_id,date\n1,2,2025-01-01\n", "line 1: the header lacks credit_score"),
        ("id,customer_id,date,score\n1,2,2025-01-01,Poor\n", "has the unknown score"),
        ("id,id,customer_id,date,credit_score\n", "repeats id"),
        ("id,customer_id,date,credit_score\n1,2,2025-01-01,Poor\n1,2,2025", "line 3: 3 cells"),
        ("1,2,2025-01-01,Poor,extra\n", "line 1: 5 cells instead of 4"),
        ("1,2,2025-01-01,Great\n", "line 1: credit_score 'Great' is not a label"),
        ("1,2,2025-01-01,\n", "line 1: credit_score '' is not a label"),
        ("1,2,1/1/2025,Poor\n", "line 1: date '1/1/2025' is not written YYYY-MM-DD"),
        (",2,2025-01-01,Poor\n", "line 1: id '' is empty"),
        ("12345678901,2,2025-01-01,Poor\n", "longer than 10 characters"),
        ('1,2,2025-01-01,Poor\n"torn,2,2025', "line 2: this is not CSV"),
    ],
)
def test_malformed_labels_are_refused_with_their_line(path: Path, text: str, message: str) -> None:
    """The message names the file, the line and the cell."""
    path.write_text(text)
    with pytest.raises(FileError) as refused:
        read_labels(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_numbers_are_read_to_the_last_bit(path: Path) -> None:
    """As Python and `credit-ct predict` read them; pandas is one bit off in one of seven."""
    exact = np.random.default_rng(0).normal(scale=1e4, size=300).tolist()
    cells = [*(f" {number!r} " for number in exact[:20]), *map(repr, exact[20:])]
    rows = [_ROW | {"id": str(place), "age": cell} for place, cell in enumerate(cells)]
    _write(path, rows, schema.FEATURE_COLUMNS, header=True)
    assert read_features(path)["age"].tolist() == exact
    assert numbers_of(cells) == exact


@pytest.mark.parametrize(
    "cell", ["many", "inf", "nan", "1,5", "1_000", "1e999", "\u0664", "0x10", "1 5"]
)
def test_a_cell_that_is_not_a_number_is_refused(path: Path, cell: str) -> None:
    """Only finite numbers and empty cells are numbers."""
    _write(path, [_ROW, _ROW | {"annual_income": cell}], schema.FEATURE_COLUMNS, header=True)
    with pytest.raises(FileError, match=r"line 3: annual_income '.*' is not a number"):
        read_features(path)


def test_personal_data_is_not_quoted(path: Path) -> None:
    """A message about a name does not contain it."""
    _write(path, [_ROW | {"name": "X" * 101}], schema.FEATURE_COLUMNS, header=True)
    with pytest.raises(FileError, match="line 2: name is longer") as refused:
        read_features(path)
    assert "XX" not in str(refused.value)


def test_a_binary_file_is_refused(path: Path) -> None:
    """The message names the expected format."""
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(FileError, match="not CSV in UTF-8"):
        read_labels(path)


def test_a_missing_file_is_named(path: Path) -> None:
    """The message has the path."""
    with pytest.raises(FileError, match=r"rows\.csv cannot be read"):
        read_labels(path)


def test_one_key_with_two_labels_is_refused_with_both_lines(path: Path) -> None:
    """Which of them would be written depended on their order in the file."""
    rows = "1,2,2025-01-05,Poor\n3,4,2025-01-05,Good\n\n1,2,2025-01-05,Standard\n"
    path.write_text(f"id,customer_id,date,credit_score\n{rows}")
    with pytest.raises(FileError) as refused:
        check_labels(path)
    assert refused.value.sentence.startswith(
        f"{path}, line 5: the key (id, customer_id, date) of line 2 again, with another"
        " credit_score. Remove"
    )


def test_the_two_lines_of_a_key_may_be_far_apart(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In different blocks; features differ in whatever column."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 30)
    rows = [_ROW | {"id": str(n)} for n in range(5)]
    _write(path, [*rows, _ROW | {"id": "1", "age": "2"}], schema.FEATURE_COLUMNS, header=True)
    with pytest.raises(FileError, match=r"line 7: .* of line 3 again, with another age\."):
        check_features(path)


def test_a_line_that_repeats_another_one_is_written_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted is what is in the table afterwards."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 30)
    path.write_text("1,2,2025-01-05,Poor\n3,4,2025-01-04,Good\n" + "1, 2,2025-01-05,Poor\n" * 3)
    found = check_labels(path)
    assert (found.rows, found.repeated, found.first, found.last) == (
        2, 3, "2025-01-04", "2025-01-05",
    )  # fmt: skip
    assert found.frame()["id"].tolist() == ["1", "3"]


@pytest.mark.parametrize("word", ["NULL", r"\N", "nan", "None"])
def test_words_for_a_missing_value_are_named(path: Path, word: str) -> None:
    """In words and in numbers: they would be a category of their own."""
    for column in ("occupation", "age"):
        _write(path, [_ROW | {column: word}], schema.FEATURE_COLUMNS, header=True)
        with pytest.raises(FileError, match="word for a missing value: leave the cell empty"):
            check_features(path)


def test_blanks_are_missing_and_blanks_around_a_word_are_removed(path: Path) -> None:
    """Which look right everywhere; how many there were is reported."""
    blank = _ROW | {"occupation": " Writer ", "credit_mix": "  ", "age": " ", "name": " "}
    _write(path, [blank], schema.FEATURE_COLUMNS, header=True)
    found = check_features(path)
    row = found.frame().iloc[0]
    assert (row["occupation"], row["credit_mix"], row["name"]) == ("Writer", None, None)
    assert pd.isna(row["age"])
    assert found.trimmed == 1
    path.write_text('1,2,2025-01-05,"Poor\r"\n')
    labels = check_labels(path)
    assert labels.frame()["credit_score"].tolist() == ["Poor"]
    assert labels.trimmed == 1


def test_a_decimal_comma_is_named(path: Path) -> None:
    """It is not read as a number of another size."""
    _write(path, [_ROW | {"age": "1,5"}], schema.FEATURE_COLUMNS, header=True)
    with pytest.raises(FileError, match=r"age '1,5' is not a number: write a decimal point"):
        check_features(path)


def test_a_file_that_changes_while_it_is_loaded_is_refused(path: Path) -> None:
    """It was checked, and is read again: the transaction is rolled back."""
    path.write_text("1,2,2025-01-05,Poor\n")
    found = check_labels(path)
    path.write_text("1,2,2025-01-05,Poor\n2,2,2025-01-05,Poor\n")
    with pytest.raises(FileError, match="changed while it was loaded"):
        found.frame()


def test_the_memory_of_a_load_does_not_grow_with_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch is in memory any more when the one after the next is read."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 500)
    rows = [_ROW | {"id": str(n)} for n in range(20)]
    _write(path, rows, schema.FEATURE_COLUMNS, header=True)
    batches: list[weakref.ref[object]] = []
    most = 0
    for batch in check_features(path).batches():
        batches.append(weakref.ref(batch))
        del batch
        gc.collect()
        most = max(most, sum(each() is not None for each in batches))
    assert len(batches) > 3
    assert most <= 2
