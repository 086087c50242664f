"""Files of customers: what is read from each format, and which faults are named."""

from collections.abc import Sequence
from decimal import Decimal
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.serving.files.customer_files import (
    CsvCustomers,
    CustomerRow,
    Format,
    format_of,
    input_format,
)
from credit_ct_dagster.serving.files.json_lines_files import JsonLinesCustomers
from credit_ct_dagster.serving.files.parquet_files import ParquetCustomers

_FEATURES = ["age", "occupation", "annual_income"]


def _csv(text: str | bytes, features: Sequence[str] = _FEATURES, separator: str = ",") -> Any:
    content = text.encode() if isinstance(text, str) else text
    return CsvCustomers("f.csv", BufferedReader(BytesIO(content)), features, separator)


def _json(text: str | bytes) -> JsonLinesCustomers:
    content = text.encode() if isinstance(text, str) else text
    return JsonLinesCustomers("f.jsonl", BytesIO(content), _FEATURES)


def _parquet(columns: dict[str, Any]) -> ParquetCustomers:
    file = BytesIO()
    pq.write_table(pa.table(columns), file)
    return ParquetCustomers("f.parquet", BytesIO(file.getvalue()), _FEATURES)


def _features(age: Any, occupation: Any, income: Any) -> dict[str, Any]:
    return {"age": age, "occupation": occupation, "annual_income": income}


def test_columns_are_found_by_name_and_others_are_passed_over() -> None:
    """In any order; neither a name nor a label reaches a row."""
    file = _csv(
        "name,credit_score,annual_income,customer_id,Age ,occupation\nAnn,Good,7,c,33,Pilot"
    )
    assert file.keys == ["customer_id"]
    assert list(file.rows()) == [CustomerRow(2, ("c",), _features(33.0, "Pilot", 7.0))]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("33", 33.0),
        (" 33 ", 33.0),
        ("", None),
        ("  ", None),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("+7.", 7.0),
        # The nearest double, as Python reads it; pandas' parser gives another one.
        ("11572.003333333336", 11572.003333333336),
        ("68397.34512351236", 68397.34512351236),
        *((text, text) for text in ("1_000", "nan", "inf", "NULL", r"\N", "٣", "1 2", "0x1", "x")),
    ],
)
def test_numbers_are_read_exactly_and_nothing_else_is_a_number(cell: str, value: object) -> None:
    """What is no number stays text, which the contract refuses."""
    [row] = _csv(f"age,x\n{cell},\n", ["age"]).rows()
    assert row.features["age"] == value


def test_lines_are_counted_as_editors_count_them() -> None:
    """With quoted line ends, Windows' line ends, a byte order mark and empty lines."""
    text = '\ufeffage,occupation,annual_income\r\n1,"a\r\nb",2\r\n\r\n3,c,4\r\n'
    found = [(row.line, row.features["occupation"]) for row in _csv(text).rows()]
    assert found == [(2, "a\r\nb"), (5, "c")]


def test_a_row_with_too_many_cells_is_a_problem_of_that_row() -> None:
    """The rows around it can be scored."""
    rows = list(_csv("age,occupation,annual_income\n1,a,2\n1,a,2,3\n1\n3,b,4\n").rows())
    assert [row.problem for row in rows] == ["", "has 4 cells instead of 3",
                                             "has 1 cells instead of 3", ""]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.csv is empty: expected the columns age, occupation, annual_income"),
        ("1,Pilot,7\n", "f.csv, line 1: none of the features is named here"),
        ("age,name\n", "f.csv, line 1: the file lacks occupation, annual_income"),
        ("age,AGE,occupation,annual_income\n", "the file repeats age"),
        ("id,id,age,occupation,annual_income\n", "the file repeats id"),
        ("age;occupation;annual_income\n", "has semicolons between its cells, not commas"),
        ("age,occupation,annual_income\n".encode("utf-16"), "begins as UTF-16"),
    ],
)
def test_what_makes_a_csv_file_unusable_is_named(text: str | bytes, message: str) -> None:
    """Before any of its rows is read."""
    with pytest.raises(FileError) as refused:
        _csv(text)
    assert message in refused.value.sentence


def test_names_that_repeat_matter_only_where_they_are_used() -> None:
    """Columns that nobody asked for may have any name, or none."""
    rows = list(_csv("x,x,,age,occupation,annual_income\n1,2,3,4,a,5\n").rows())
    assert rows[0].features == _features(4.0, "a", 5.0)


@pytest.mark.parametrize(
    ("text", "line"),
    [("age,occupation,annual_income\n1,\xff,2\n".encode("latin1"), 2), (b'age,x\n1,"a"b\n', 2)],
)
def test_a_file_that_breaks_off_is_named_with_its_line(text: bytes, line: int) -> None:
    """It is not known where the next row begins."""
    with pytest.raises(FileError, match=f"f.csv, line {line}: this is not CSV"):
        list(_csv(text, ["age"]).rows())


def test_json_objects_keep_their_types() -> None:
    """Missing values are null or NaN; what is no number or word is left to the contract."""
    text = (
        '\ufeff{"id": 7, "age": 33, "occupation": "Pilot", "annual_income": NaN, "name": "Ann"}\r\n'
        "\n"
        '{"id": null, "age": "33", "occupation": 5}\n'
    )
    file = _json(text)
    assert file.keys == ["id"]
    assert list(file.rows()) == [
        CustomerRow(1, (7,), _features(33, "Pilot", None)),
        CustomerRow(3, (None,), {"age": "33", "occupation": 5}),
    ]


def test_a_line_that_is_no_object_is_a_problem_of_that_row() -> None:
    """Whatever it is instead."""
    good = b'{"age": 1, "occupation": "a", "annual_income": 2, "id": 1}\n'
    bad = [b"{", b"7", b'"\xff"', b"[" * 5_000, b"9" * 5_000, b'{"id": [1], "age": 1}',
           b'{"id": 1e999}']  # fmt: skip
    rows = list(_json(good + b"\n".join(bad) + b"\n" + good).rows())
    assert [row.problem for row in rows] == [
        "", "is not JSON", "is not a JSON object", "is not UTF-8", "is not JSON", "is not JSON",
        "id must be text or a number", "id must be text or a number", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.jsonl is empty"),
        ("[\n", "this is a JSON list"),
        ("age,occupation\n1,2\n", "f.jsonl, line 1 is not JSON"),
        ('{"age": 1}\n{"occupation": "a"}\n', "f.jsonl: the file lacks annual_income"),
        ('{"x": "' + "a" * 2**20 + '"}\n', "line 1: the line is longer than"),
    ],
)
def test_what_makes_a_file_of_json_lines_unusable_is_named(text: str, message: str) -> None:
    """A field that no object has is absent, as a column is."""
    with pytest.raises(FileError) as refused:
        _json(text)
    assert message in refused.value.sentence


def test_parquet_types_become_what_the_contract_takes() -> None:
    """Whole numbers, decimals and dictionaries are numbers and words; NaN and NULL are missing."""
    file = _parquet(
        {
            "customer_id": pa.array([1, None], pa.int32()),
            "date": pa.array(["2025-01-01", "2025-01-02"]).dictionary_encode(),
            "age": pa.array([33, None], pa.int16()),
            "occupation": pa.array(["Pilot", None]).dictionary_encode(),
            "annual_income": pa.array([Decimal("7.5"), None]),
            "ssn": ["1", "2"],
        }
    )
    assert file.keys == ["customer_id", "date"]
    assert file.key_types == {"customer_id": pa.int32(), "date": pa.string()}
    assert list(file.rows()) == [
        CustomerRow(1, (1, "2025-01-01"), _features(33, "Pilot", 7.5)),
        CustomerRow(2, (None, "2025-01-02"), _features(None, None, None)),
    ]


def test_a_parquet_column_of_another_type_is_left_to_the_contract() -> None:
    """A column of floats that are all NaN, as pandas writes absent words, is missing."""
    rows = _parquet(
        {"age": ["33"], "occupation": [float("nan")], "annual_income": pa.array([True])}
    ).rows()
    assert [row.features for row in rows] == [_features("33", None, True)]


def test_what_makes_a_parquet_file_unusable_is_named(tmp_path: Path) -> None:
    """No Parquet, a part of a file, an absent column."""
    with pytest.raises(FileError, match="cannot be read as Parquet"):
        ParquetCustomers("f", BytesIO(b"age,occupation\n"), _FEATURES)
    with pytest.raises(FileError, match="the file lacks occupation, annual_income"):
        _parquet({"age": [1]})
    file = BytesIO()
    pq.write_table(pa.table({name: [1.0] * 10 for name in _FEATURES}), file)
    content = bytearray(file.getvalue())
    content[4:60] = b"x" * 56
    with pytest.raises(FileError, match="cannot be read as Parquet"):
        list(ParquetCustomers("f", BytesIO(bytes(content)), _FEATURES).rows())


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_word_of_many_rows_is_no_bomb(dictionary: bool) -> None:
    """A file of kilobytes would otherwise take gigabytes: a megabyte of text in every row."""
    words = pa.array(["x" * 1_000_000]).dictionary_encode().take(pa.array([0] * 20_000))
    columns = {"age": [33] * 20_000, "occupation": words, "annual_income": [1.0] * 20_000}
    if not dictionary:  # the type that pandas writes
        columns["occupation"] = ["x" * 200_000] * 20
        columns = {name: column[:20] for name, column in columns.items()}
    with pytest.raises(FileError, match="a text of occupation has more than 131,072 bytes"):
        next(_parquet(columns).rows())


def test_the_suffix_names_the_format() -> None:
    """In either case; another one is refused with those that are known, and the way out."""
    assert format_of(Path("a.CSV")) == Format.csv
    assert format_of(Path("a.pq")) == Format.parquet
    assert format_of(Path("a.ndjson")) == format_of(Path("a.json")) == Format.jsonl
    assert format_of(Path("a.xlsx")) is None
    with pytest.raises(FileError, match=r"zcat FILE \| credit-ct predict -"):
        input_format(Path("a.csv.gz"))
    with pytest.raises(FileError, match=r"\.json, \.parquet, \.pq\)\. Name .* --input-format"):
        input_format(Path("customers"))
