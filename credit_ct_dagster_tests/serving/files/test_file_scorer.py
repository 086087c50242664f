"""Predictions of files: equal to those of the scorer, in order, row group by row group."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credit_ct_dagster.errors.inputs import RefusedRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.reasons import protected_features
from credit_ct_dagster.serving.files import file_scorer
from credit_ct_dagster.serving.files.customer_files import Format, input_format
from credit_ct_dagster.serving.files.file_scorer import FileScorer, Scoring, customer_file
from credit_ct_dagster.serving.files.prediction_files import FLAGS, REASONS
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.serving.http.small_service import sample_rows

_ANSWER = ["credit_score", "probability_poor", "probability_standard", "probability_good"]


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small files have several groups."""
    monkeypatch.setattr(file_scorer, "_BATCH_ROWS", 7)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Customers with labels, names and ssn; none of the first ones has an occupation."""
    found = sample_rows(40, seed=3).head(40).reset_index(drop=True)
    found.loc[:9, "occupation"] = None
    found.loc[:9, "annual_income"] = None
    return found.assign(num_of_loan=found["num_of_loan"].astype("Int64"))


Score = Callable[..., tuple[Path, Scoring, list[tuple[int, str]]]]


@pytest.fixture
def score(model: ServedModel, tmp_path: Path) -> Score:
    """Score a file."""

    def scored(source: Path, suffix: str, reasons: bool = False, skip: bool = True) -> Any:
        target, refused = tmp_path / f"predictions{suffix}", []
        scorer = FileScorer(model.scorer, model.contract, reasons)
        with source.open("rb") as stream, target.open("wb") as output:
            given = customer_file(
                input_format(source), source.name, stream, model.scorer.columns, ","
            )
            written = scorer.predictions(input_format(target), output, given)
            scoring = scorer.score(given, written, lambda *each: refused.append(each), skip)
        return target, scoring, refused

    return scored


def _write(rows: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        rows.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        rows.to_parquet(path, index=False)
    else:
        rows.to_json(path, orient="records", lines=True, double_precision=15)
    return path


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=str, float_precision="round_trip")
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("source", [".csv", ".parquet", ".jsonl"])
def test_answers_are_those_of_the_scorer(
    score: Score, model: ServedModel, rows: pd.DataFrame, tmp_path: Path, source: str, suffix: str
) -> None:
    """To the last bit and in the file's order, from each format into each."""
    if source == ".jsonl":  # pandas writes no more than 15 digits
        rows = rows.round(dict.fromkeys(schema.NUMERIC, 9))
    target, scoring, _ = score(_write(rows, tmp_path / f"customers{source}"), suffix)
    found = _read(target)
    assert scoring.scored == len(rows)
    assert list(found) == [*schema.KEY, *_ANSWER]
    for key in schema.KEY:
        assert list(found[key].astype(str)) == list(rows[key].astype(str))
    raw = rows[schema.FEATURES].astype(dict.fromkeys(schema.NUMERIC, "float64"))
    expected = model.scorer.answer_rows(raw)
    assert list(found["credit_score"]) == list(expected["credit_score"])
    for name in _ANSWER[1:]:
        assert list(found[name].astype(float)) == list(expected[name])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_reasons_are_sentences_in_columns(
    score: Score, model: ServedModel, rows: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    """One per column, the strongest first, and the protected features among them."""
    found = _read(score(_write(rows, tmp_path / "customers.parquet"), suffix, reasons=True)[0])
    raw = rows[schema.FEATURES].astype(dict.fromkeys(schema.NUMERIC, "float64"))
    expected = model.scorer.answer_rows(raw, reasons=True)["reasons"]
    assert list(found)[-5:] == [*REASONS, FLAGS]
    for (_, row), reasons in zip(found.iterrows(), expected, strict=True):
        assert [each for each in row[REASONS] if not pd.isna(each)] == [
            reason.sentence for reason in reasons
        ]
        flags = "; ".join(protected_features(reasons))
        assert (row[FLAGS] if flags else pd.isna(row[FLAGS])) == (flags or True)
    assert found[FLAGS].notna().any()


def test_reasons_are_objects_in_json_lines(
    score: Score, model: ServedModel, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """As the service answers them, for programs."""
    target, _, _ = score(_write(rows, tmp_path / "customers.parquet"), ".jsonl", reasons=True)
    raw = rows[schema.FEATURES].astype(dict.fromkeys(schema.NUMERIC, "float64"))
    expected = model.scorer.answer_rows(raw, reasons=True)["reasons"]
    for line, reasons in zip(target.read_text().splitlines(), expected, strict=True):
        found = json.loads(line)
        assert found["reasons"] == [reason.as_dict() for reason in reasons]
        assert found[FLAGS] == protected_features(reasons)


def test_rows_are_refused_by_line_and_rule(
    score: Score, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """Those around them are scored, and no value of a row is repeated."""
    bad = rows.astype(object)
    bad.loc[3, "age"] = 777
    bad.loc[5, "age"] = "9,5"
    bad.loc[5, "credit_mix"] = "Splendid"
    bad.loc[6, "occupation"] = "NULL"
    target, scoring, refused = score(_write(bad, tmp_path / "customers.csv"), ".csv")
    assert refused == [
        (5, "age must be 14 to 120"),
        (7, "age must be a number with a decimal point, or empty if it is not known; credit_mix"
            " must be Bad, Standard or Good"),
        (8, "occupation must be empty if it is not known, not a word such as 'NULL', '\\N', 'nan'"
            " or 'None'"),
    ]  # fmt: skip
    assert (scoring.scored, scoring.refused) == (37, 3)
    assert list(_read(target)["id"]) == list(bad["id"].drop([3, 5, 6]).astype(str))


def test_every_refused_row_is_found_before_the_file_fails(
    score: Score, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """So that all of them can be corrected at once; nothing is written from the first on."""
    bad = rows.copy()
    bad.loc[[10, 30], "age"] = 777.0
    source = _write(bad, tmp_path / "customers.csv")
    with pytest.raises(RefusedRowsError) as refused:
        score(source, ".csv", skip=False)
    assert refused.value.sentence == (
        "2 rows of customers.csv cannot be scored: age must be 14 to 120 (2 rows). Correct them,"
        " or leave them out with --bad-rows skip."
    )
    assert len(_read(tmp_path / "predictions.csv")) == 7


def test_a_file_of_which_every_row_is_refused_fails(
    score: Score, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """Whatever was asked for: it is the wrong file."""
    source = _write(rows.assign(age=rows["age"] * 12 + 200), tmp_path / "customers.csv")
    with pytest.raises(RefusedRowsError, match=r"40 rows of customers\.csv cannot be scored: age"):
        score(source, ".csv")
    assert (tmp_path / "predictions.csv").read_bytes() == b""


def test_words_that_training_did_not_have_are_counted(
    score: Score, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """They are scored as unknown words."""
    source = _write(
        rows.assign(occupation=rows["occupation"].str.lower()), tmp_path / "customers.csv"
    )
    _, scoring, _ = score(source, ".csv")
    assert dict(scoring.unseen) == {"occupation": 30}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_file_with_a_header_only_has_predictions_with_a_header_only(
    score: Score, rows: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    """On some days, nobody asks for a credit."""
    target, scoring, _ = score(_write(rows.head(0), tmp_path / "customers.csv"), suffix)
    assert (scoring.scored, scoring.refused) == (0, 0)
    assert target.read_bytes() == b"" if suffix == ".jsonl" else "id" in _read(target)


def test_a_file_without_keys_is_scored(score: Score, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Its order tells which prediction is whose."""
    target, _, _ = score(_write(rows[schema.FEATURES], tmp_path / "customers.csv"), ".csv")
    assert list(_read(target)) == _ANSWER


def test_keys_are_repeated_as_they_are(score: Score, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Leading zeros stay; Parquet keeps their types, and a moment at midnight is a day in CSV."""
    texts = rows.assign(id=[f"00{n}" for n in range(len(rows))], customer_id='a "b", c')
    target, _, _ = score(_write(texts, tmp_path / "customers.csv"), ".csv")
    assert list(_read(target)["id"]) == list(texts["id"])
    assert set(_read(target)["customer_id"]) == {'a "b", c'}
    typed = rows.assign(id=range(len(rows)), date=pd.Timestamp("2025-03-10"))
    source = _write(typed, tmp_path / "customers.parquet")
    types = pq.read_schema(score(source, ".parquet")[0])
    assert types.field("id").type == pa.int64()
    assert pa.types.is_timestamp(types.field("date").type)
    assert set(_read(score(source, ".csv")[0])["date"]) == {"2025-03-10"}
    assert set(_read(score(source, ".jsonl")[0])["date"]) == {"2025-03-10"}


class _Generated(io.RawIOBase):
    """A file that is made while it is read, and knows how far the output is behind it."""

    def __init__(self, row: bytes, header: bytes, rows: int, output: io.BytesIO) -> None:
        self._row, self._left, self._output = row, rows, output
        self._read, self._content = 0, header
        self.most_waiting = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._content and self._left:
            self._left -= 1
            self._read += 1
            self._content = self._row
            written = self._output.getvalue().count(b"\n")
            self.most_waiting = max(self.most_waiting, self._read - written)
        taken = self._content[: len(buffer)]
        self._content = self._content[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def test_rows_are_written_while_the_file_is_read(model: ServedModel, rows: pd.DataFrame) -> None:
    """What is held of a file is one group of rows, and what the buffers of Python hold."""
    header, row = rows.dropna().head(1).to_csv(index=False).encode().splitlines(keepends=True)
    output = io.BytesIO()
    stream = _Generated(row, header, 400, output)
    given = customer_file(Format.csv, "f", io.BufferedReader(stream), model.scorer.columns, ",")
    scorer = FileScorer(model.scorer, model.contract)
    scoring = scorer.score(
        given, scorer.predictions(Format.csv, output, given), lambda *_: None, skip=False
    )
    assert scoring.scored == 400
    assert stream.most_waiting < 7 + 2 * io.DEFAULT_BUFFER_SIZE / len(row)
