"""Blocks that are parsed column by column: the same rows, or the same refusal, as cell by cell."""

import math
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credit_ct_dagster.csv_lines import COMMA, CsvLines
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading import csv_files, sample_data
from credit_ct_dagster.loading.cells import check_cells
from credit_ct_dagster.loading.csv_files import CsvFile, check_features, check_labels
from credit_ct_dagster.loading.plain_blocks import plain_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.texts import frame_of

_Check = Callable[..., CsvFile]
_BLANKS = ["\x1c", "\x85", "\xa0", "\u2003", "\u3000", "\t", " "]
_WORDS = [
    "", "Writer", "loan, other loan", 'a "quoted" word', '"a"b', '"torn', '""', "O'Neill",
    "back\\slash", "\\", "NULL", "nan", "\\N", "None", "김", "é" * 10, "x" * 10, "x" * 11, "x" * 51,
    "two\nlines", "carriage\rreturn", "\r\n", "\0", "\ufeff", "\ufeffmark", "😀", ";", "|", "-",
    "sep=,",
]  # fmt: skip
_NUMBERS = [
    "", "0", "-0", "39", "39.0", "1104.5833333333333", "0.1", "+5", "5.", ".5", "1e5", "1E5", "1e",
    "1e+22", "1e22", "1e400", "-1e400", "1e-400", "5e-324", "-", ".", "+", "1_000", "1,5", "0x10",
    "inf", "nan", "NaN", "NULL", "١", "12 3", "1 ", "00012", "9" * 30, "0." + "1" * 40,
    "1.7976931348623157e308", "e5",
]  # fmt: skip
_KEYS = [
    "1",
    "2",
    "10",
    "CUS_ab",
    "CUS_AB",
    "",
    "1234567890",
    "12345678901",
    "김철수",
    "NULL",
    "7 ",
]
_DATES = [
    "2025-01-05", "2025-02-29", "2024-12-31", "2025-13-01", "2025-00-10", "2025-01-32",
    "2025-01-00", "2025-1-5", "05/01/2025", "", "٢٠٢٥-01-01", "2025-01-0\u0665", "2025_01_05",
    "20250105", "2025-01-05 ",
]  # fmt: skip
_SOME_FEATURES = [*schema.KEY, "name", "age", "occupation", "type_of_loan"]
_ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n \n"])


def _usual(name: str) -> str:
    column = schema.COLUMNS[name]
    if name == "date":
        return "2025-01-05"
    usual = {schema.Kind.key: "1", schema.Kind.label: "Poor", schema.Kind.number: "39.0"}
    return usual.get(column.kind, "Writer")


def _odd(name: str) -> list[str]:
    """Cells that are refused, or read in a way of their own."""
    column = schema.COLUMNS[name]
    if name == "date":
        odd = _DATES
    else:
        odd = {
            schema.Kind.key: _KEYS,
            schema.Kind.label: ["Good", "Standard", "Great", "", "poor", "NULL"],
            schema.Kind.number: _NUMBERS,
        }.get(column.kind, _WORDS)
    usual = _usual(name)
    return [*odd, *(usual + each for each in _BLANKS), *(each + usual for each in _BLANKS)]


@st.composite
def _rows(draw: st.DrawFn, names: list[str]) -> list[list[str]]:
    """Rows of which a few cells are odd; a key may occur twice."""
    count = draw(st.integers(1, 12))
    rows = [[_usual(name) for name in names] for _ in range(count)]
    for number, row in enumerate(rows):
        row[names.index("id")] = str(draw(st.sampled_from([number, number, number, 0])))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 5]))):
        name = draw(st.sampled_from(names))
        rows[draw(st.integers(0, count - 1))][names.index(name)] = draw(st.sampled_from(_odd(name)))
    return rows


def _line(cells: list[str], separator: str, end: str, quoting: str) -> str:
    return separator.join(_written(cell, separator, quoting) for cell in cells) + end


def _written(cell: str, separator: str, quoting: str) -> str:
    special = any(each in cell for each in (separator, '"', "\n", "\r"))
    if quoting == "none" or (quoting == "needed" and not special):
        return cell
    return '"' + cell.replace('"', '""') + '"'


@st.composite
def _files(draw: st.DrawFn, names: list[str]) -> tuple[bytes, str]:
    """A file, and the separator of its cells."""
    separator = draw(st.sampled_from([COMMA, COMMA, ";", "\t", "|", "§", "~"]))
    quoting = draw(st.sampled_from(["needed", "needed", "needed", "all", "none"]))
    header = draw(st.sampled_from([True, True, False]))
    order = draw(st.permutations(names)) if header else names
    end = draw(_ENDS)
    text = separator.join(order) + end if header else ""
    for row in draw(_rows(list(order))):
        text += _line(row, separator, draw(st.sampled_from([end] * 9 + ["\n", "\n\n"])), quoting)
    content = text.encode()
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.sampled_from([b"\xff", b'"', b"\0", b",", b""]))
    return draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"])) + content, separator


def _outcome(check: _Check, path: Path, separator: str) -> tuple[str, pd.DataFrame | None]:
    """What is reported and written, or the refusal."""
    try:
        found = check(path, separator)
        facts = (found.columns, found.rows, found.repeated, found.trimmed, found.first, found.last)
        return str(facts), found.frame()
    except FileError as error:
        return error.sentence, None


def _agree(check: _Check, path: Path, content: bytes, separator: str, block: int) -> None:
    """Both ways report and write the same."""
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "_BLOCK_BYTES", block)
        # Refusals count the lines like the first one, of a batch.
        patch.setattr(csv_files, "_BATCH_ROWS", 1)
        text, frame = _outcome(check, path, separator)
        patch.setattr(csv_files, "plain_rows", lambda *_: None)
        expected_text, expected = _outcome(check, path, separator)
    assert text == expected_text
    if expected is None:
        assert frame is None
        return
    assert frame is not None
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)


@pytest.mark.parametrize("name", _SOME_FEATURES)
def test_one_odd_cell_is_taken_only_as_it_is_taken_cell_by_cell(name: str, tmp_path: Path) -> None:
    """Each that these tests know, quoted and not, among rows that are plain."""
    usual = [[str(number), *map(_usual, _SOME_FEATURES[1:])] for number in range(3)]
    taken = 0
    for odd in [*_odd(name), _usual(name)]:
        for quoting in ("needed", "none", "all"):
            rows = [list(row) for row in usual]
            rows[1][_SOME_FEATURES.index(name)] = odd
            block = "".join(_line(row, COMMA, "\n", quoting) for row in rows).encode()
            plain = plain_rows(block, _SOME_FEATURES, COMMA)
            if plain is not None:
                taken += 1
                _require_careful(block, plain, tmp_path / "rows.csv")
    assert taken >= 4


def _require_careful(block: bytes, plain: pa.Table, path: Path) -> None:
    """Make sure that the careful way takes a block, and takes it so."""
    path.write_bytes(block)
    names = plain.column_names
    cells = [row for _, row in CsvLines(path, names, []).rows()]
    careful = pd.DataFrame(cells, columns=names, dtype=object)
    assert check_cells(careful, path) == 0
    frame = frame_of(plain)
    pd.testing.assert_frame_equal(frame, careful, check_exact=True)
    for name in set(names) & set(schema.NUMERIC):
        assert (np.signbit(frame[name]) == np.signbit(careful[name])).all()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(file=_files(schema.LABEL_COLUMNS), block=st.sampled_from([30, 100, 10_000]))
def test_labels_are_read_as_cell_by_cell(
    file: tuple[bytes, str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is in the file, and wherever a block of it ends."""
    _agree(check_labels, tmp_path_factory.getbasetemp() / "labels.csv", *file, block)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    file=_files(_SOME_FEATURES),
    block=st.sampled_from([60, 10_000]),
)
def test_features_are_read_as_cell_by_cell(
    file: tuple[bytes, str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Numbers to the last bit, words, and what is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "FEATURE_COLUMNS", _SOME_FEATURES)
        path = tmp_path_factory.getbasetemp() / "features.csv"
        _agree(check_features, path, *file, block)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ordinary_files_are_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Sample rows as pandas writes them, names in other scripts: no cell is looked at by itself."""
    labels, features = sample_data.generate(300, date(2025, 3, 31), seed=0)
    features["name"] = "김철수 O'Neill"
    monkeypatch.setattr(csv_files, "_careful_batches", lambda *_: pytest.fail("it is not plain"))
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 5_000)
    for check, rows in ((check_labels, labels), (check_features, features)):
        rows.to_csv(tmp_path / "rows.csv", index=False, lineterminator=end)
        read = check(tmp_path / "rows.csv").frame()
        assert len(read) == 300
        expected = rows.astype(object).where(rows.notna(), None)
        pd.testing.assert_frame_equal(
            read.astype(object).where(read.notna(), None), expected, check_exact=True
        )


def test_a_line_that_is_longer_than_a_block_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block ends between rows, however long they are."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 5)
    monkeypatch.setattr(csv_files, "LONGEST_LINE", 10)
    path = tmp_path / "labels.csv"
    path.write_text("1,2,2025-01-05,Poor\n3,4,2025-01-06,Good")
    assert check_labels(path).frame()["id"].tolist() == ["1", "3"]


def test_a_cell_that_a_python_parser_refuses_is_not_plain() -> None:
    """Of more than 131,072 characters."""
    line = "1,2,2025-01-05,{}\n"
    names = [*schema.KEY, "type_of_loan"]
    assert plain_rows(line.format("x" * 100_000).encode(), names, COMMA) is not None
    assert plain_rows(line.format("x" * 131_073).encode(), names, COMMA) is None


def test_a_mark_in_the_middle_of_a_file_is_not_plain() -> None:
    """It begins a cell there; Arrow would pass over it."""
    block = "1,2,2025-01-05,Poor\n"
    assert plain_rows(block.encode(), schema.LABEL_COLUMNS, COMMA) is not None
    assert plain_rows(f"\ufeff{block}".encode(), schema.LABEL_COLUMNS, COMMA) is None


def test_numbers_keep_their_text_unless_they_have_an_exponent() -> None:
    """The text is the literal of a statement; exponents are written in one way there."""
    names = [*schema.KEY, "age"]
    block = "".join(f"1,2,2025-01-05,{cell}\n" for cell in ("1104.5833333333333", "", "5.", "-.5"))
    rows = plain_rows(block.encode(), names, COMMA)
    assert rows is not None
    assert rows["age"].to_pylist() == ["1104.5833333333333", None, "5.", "-.5"]
    rows = plain_rows(f"{block}1,2,2025-01-05,1E22\n".encode(), names, COMMA)
    assert rows is not None
    *numbers, last = rows["age"].to_pylist()
    assert [number and float(number) for number in numbers] == [1104.5833333333333, None, 5.0, -0.5]
    assert last == "1e+22"
    assert math.isclose(float(last), 1e22, rel_tol=0)


def test_a_pipe_is_plain_too(tmp_path: Path) -> None:
    """What it delivered is read from the copy."""
    reading, writing = os.pipe()
    os.write(writing, b"1,2,2025-01-05,Poor\n" * 3 + b"2,2,2025-01-06,Good\n")
    os.close(writing)
    found = check_labels(Path(f"/dev/fd/{reading}"))
    assert (found.rows, found.repeated) == (2, 2)
    assert len(found.frame()) == 2
    os.close(reading)
