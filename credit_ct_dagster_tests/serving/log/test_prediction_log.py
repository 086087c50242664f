"""The log of predictions on a database that answers."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import DuplicateRequestError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.prediction_log import PredictionLog
from credit_ct_dagster_tests.serving.log.predictions import FEATURES, eventually, prediction

_SECONDS = 20


@pytest.fixture
def open_log(store_url: str, tmp_path: Path) -> Iterator[Callable[[], PredictionLog]]:
    """Opens logs with one database and one spool, as the workers of a machine do."""
    opened: list[PredictionLog] = []

    def make() -> PredictionLog:
        log = PredictionLog(store_url, tmp_path / "spool")
        log.start()
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.stop()


def _rows(url: str) -> list[dict[str, Any]]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        found = connection.execute(sa.text("SELECT * FROM credit_predictions ORDER BY 1"))
        return [dict(row) for row in found.mappings()]


def test_a_prediction_is_found_as_it_was_logged(
    open_log: Callable[[], PredictionLog], store_url: str
) -> None:
    """Every field, to the last bit and microsecond; the table is created."""
    log = open_log()
    seoul = datetime(2025, 3, 10, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    logged = prediction(
        "é 😀",
        time=seoul,
        customer_id="CUS_0xd40",
        feature_date="2025-03-01",
        probabilities={"Good": 0.1, "Poor": 0.1 + 0.2, "Standard": 1 / 3},
        warnings=[{"feature": "age", "rule": "is unusual"}],
        features={"annual_income": 1e300, "age": float("nan"), "occupation": "Lehrer'\\\"\n"},
    )
    log.record(logged).result(_SECONDS)
    assert log.find("é 😀") == logged
    assert list(logged.probabilities) == schema.CLASSES
    assert logged.features["age"] is None
    [row] = _rows(store_url)
    assert str(row["time"]) == "2025-03-10 00:00:00.123456"
    assert row["record_version"] == 1
    assert log.find("E 😀") is None
    assert log.find("é 😀 ") is None


def test_a_request_is_in_the_log_once(
    open_log: Callable[[], PredictionLog], store_url: str
) -> None:
    """Of writers who send one request id at once, one is told that it was logged, the rest that it
    was not; other requests of their groups are logged.
    """
    logs = [open_log(), open_log()]
    results: list[bool] = []

    def write(number: int) -> None:
        futures = [logs[number % 2].record(prediction(name)) for name in ("same", str(number))]
        futures[1].result(_SECONDS)
        try:
            futures[0].result(_SECONDS)
            results.append(True)
        except DuplicateRequestError:
            results.append(False)

    threads = [threading.Thread(target=write, args=[number]) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 23 + [True]
    names = [row["request_id"] for row in _rows(store_url)]
    assert sorted(names) == sorted({"same", *map(str, range(24))})
    assert not logs[0].state().degraded


def test_case_makes_another_request(open_log: Callable[[], PredictionLog]) -> None:
    """And so do accents and trailing blanks."""
    log = open_log()
    for name in ("a", "A", "á", "a "):
        log.record(prediction(name)).result(_SECONDS)


def test_what_waits_becomes_a_group(
    open_log: Callable[[], PredictionLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a group is written, the next one collects: far fewer commits than predictions."""
    log, commits = open_log(), []
    entered, go_on = threading.Event(), threading.Event()
    insert = log._table.insert

    def slow(group: Any) -> set[str]:
        commits.append(len(group))
        entered.set()
        assert go_on.wait(_SECONDS)
        return insert(group)

    monkeypatch.setattr(log._table, "insert", slow)
    futures = [log.record(prediction("first"))]
    assert entered.wait(_SECONDS)
    futures += [log.record(prediction(str(number))) for number in range(100)]
    assert log.state().waiting == 101
    go_on.set()
    for future in futures:
        future.result(_SECONDS)
    assert commits == [1, 100]


def test_stopping_writes_what_waits(open_log: Callable[[], PredictionLog], store_url: str) -> None:
    """And then takes nothing more."""
    log = open_log()
    futures = [log.record(prediction(str(number))) for number in range(50)]
    log.stop()
    assert all(future.done() for future in futures)
    assert len(_rows(store_url)) == 50
    with pytest.raises(RuntimeError, match="stopped"):
        log.record(prediction("late"))


def test_a_caller_who_gives_up_stops_nothing(open_log: Callable[[], PredictionLog]) -> None:
    """A prediction cannot be taken back once it was recorded."""
    log = open_log()
    assert not log.record(prediction("given up")).cancel()
    log.record(prediction("next")).result(_SECONDS)
    assert log.find("given up") is not None


def test_a_table_that_vanishes_is_created_again(
    open_log: Callable[[], PredictionLog], store_url: str
) -> None:
    """What was answered in the meantime is in it."""
    log = open_log()
    with sa.create_engine(store_url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("DROP TABLE credit_predictions")
    log.record(prediction("meanwhile")).result(_SECONDS)
    eventually(lambda: not log.state().degraded and log.state().spooled == 0)
    assert [row["request_id"] for row in _rows(store_url)] == ["meanwhile"]


@pytest.mark.parametrize("column", [*schema.PERSONAL, "id", "credit_score"])
def test_only_features_of_the_model_can_be_logged(column: str) -> None:
    """Neither name nor ssn; the value is not repeated."""
    with pytest.raises(ValueError, match=column) as refused:
        prediction("1", features=FEATURES | {column: "Ada"})
    assert "Ada" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": {"age": float("inf")}},
        {"time": datetime.fromisoformat("2025-03-10T00:00:00")},
        {"customer_id": "x" * 65},
        {"customer_id": ""},
        {"customer_id": "\ud800"},
        {"probabilities": {"Poor": float("nan")}},
        {"warnings": [float("inf")]},
    ],
    ids=str,
)
def test_what_the_log_could_not_store_is_refused_at_once(
    open_log: Callable[[], PredictionLog], wrong: dict[str, Any]
) -> None:
    """One such prediction would otherwise hold up its whole group."""
    log = open_log()
    with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
        log.record(prediction("wrong", **wrong))
    log.record(prediction("right")).result(_SECONDS)


def test_features_of_an_earlier_release_are_read() -> None:
    """A column that the schema has no more stays in what was logged before."""
    values = prediction("1").to_row() | {"time": datetime.now(UTC)}
    read = Prediction.from_values(
        values | {"features": {"age": 1.0, "shoe_size": 43.0, "ssn": "1"}}
    )
    assert read.features == {"age": 1.0, "shoe_size": 43.0}
