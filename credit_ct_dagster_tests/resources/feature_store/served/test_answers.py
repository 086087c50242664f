"""The answers of a day, from the log and from the table of scores."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.partitions import end_of
from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.served_rows import (
    MODEL,
    TAG,
    answers,
    describe,
    label,
    log,
    noon,
    request,
    score,
)

_DAY = "2025-03-10"


def _of_day(store: FeatureStore, model_name: str = MODEL, **options: Any) -> pd.DataFrame:
    return ServedAnswers(store.database, model_name).of_day(_DAY, **options)


def _labels(found: pd.DataFrame) -> dict[str, str | None]:
    return dict(zip(found[columns.KEY], found[columns.LABEL], strict=True))


def test_an_answer_to_a_request_is_read_with_its_label(store: FeatureStore) -> None:
    """Every column of it, of the type that is promised."""
    given: dict[str, float | str | None] = {"age": 31.0, "occupation": 'Teacher "é" 한'}
    moment = datetime(2025, 3, 10, 1, 2, 3, 456789, UTC)
    log(
        store,
        request(
            "r1", moment, "c1", "Standard", probabilities=(0.25, 0.5, 0.25), features=given,
            feature_date="2025-03-09", latency_ms=1.5,
        ),
    )  # fmt: skip
    label(store, ("i", "c1", "2025-04-09", "Good"))
    expected = {
        "source": "request", "key": "r1", "customer_id": "c1", "model_tag": TAG,
        "predicted": "Standard", "probability_poor": 0.25, "probability_standard": 0.5,
        "probability_good": 0.25, "label": "Good", "label_date": "2025-04-09", **given,
        "latency_ms": 1.5, "time": pd.Timestamp("2025-03-10 01:02:03.456789"),
    }  # fmt: skip
    found = _of_day(store)
    assert found.to_dict("records") == [expected]
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        name: columns.type_of(name) for name in columns.ANSWERS
    }


def test_a_score_is_read_with_the_features_that_were_scored(store: FeatureStore) -> None:
    """Where they are there still; it has no latency, and no moment of its own."""
    describe(
        store,
        ("i1", "c1", "2025-03-05", {"age": 20.0, "occupation": "Old"}),
        ("i1", "c1", _DAY, {"age": 40.5, "occupation": "Lawyer"}),
    )
    score(
        store, _DAY, ("i1", "c1", _DAY, "Good"), ("i2", "c2", _DAY, "Poor"),
        probabilities=(0.125, 0.125, 0.75),
    )  # fmt: skip
    label(store, ("x", "c2", _DAY, "Standard"), ("x", "c1", "2025-03-09", "Poor"))
    found = _of_day(store)
    assert found[columns.KEY].tolist() == [f"i1|c1|{_DAY}", f"i2|c2|{_DAY}"]
    assert found[columns.SOURCE].tolist() == ["batch", "batch"]
    assert found[columns.LABEL].tolist() == [None, "Standard"]
    assert found["occupation"].tolist() == ["Lawyer", None]
    assert found["age"].tolist() == pytest.approx([40.5, np.nan], nan_ok=True)
    assert found["probability_good"].tolist() == [0.75, 0.75]
    assert found[[columns.LATENCY, columns.TIME]].isna().all().all()


def test_both_sources_are_in_one_frame(store: FeatureStore) -> None:
    """In an order that does not depend on how they were written, with an index from 0."""
    log(store, request("z", _DAY, "c1"), request("a", _DAY, None))
    score(store, _DAY, ("2", "c2", _DAY, "Good"), ("1", "c1", _DAY, "Good"))
    found = _of_day(store)
    assert found[columns.KEY].tolist() == [f"1|c1|{_DAY}", f"2|c2|{_DAY}", "a", "z"]
    assert found.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("tables", ["none", "source tables", "log and scores"])
def test_what_does_not_exist_yet_has_no_rows(store: FeatureStore, tables: str) -> None:
    """Every frame has its columns, in their types."""
    if tables == "source tables":
        store.create_missing_tables()
    if tables == "log and scores":
        log(store)
        score(store, "2025-01-01", ("i", "c", "2025-01-01", "Good"))
    served = ServedAnswers(store.database, MODEL)
    for frame, names in (
        (served.of_day(_DAY), columns.ANSWERS),
        (served.features_of_day(_DAY, most_rows=5), columns.FEATURES),
        (served.volumes(_DAY, _DAY), columns.VOLUMES),
    ):
        assert frame.empty
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
            name: columns.type_of(name) for name in names
        }
    found = served.beside_the_store(_DAY, most_rows=5)
    assert list(found.served.columns) == list(found.stored.columns) == schema.FEATURES
    assert [*map(len, (found.served, found.stored, found.later, *found.older))] == [0] * 6
    assert [*found[5:]] == [0] * 4
    assert served.labels_arrived_since(datetime.now(UTC), "2025-01-01", "2025-12-31") == []


def test_answers_without_tables_of_labels_and_features_have_none(store: FeatureStore) -> None:
    """The log and the scores alone are read."""
    log(store, request("r", _DAY, "c"))
    score(store, _DAY, ("i", "c", _DAY, "Good"))
    found = _of_day(store)
    assert found[columns.LABEL].tolist() == [None, None]
    assert found["age"].tolist() == pytest.approx([np.nan, 1.0], nan_ok=True)


@pytest.mark.parametrize("other", ["credit", "credit_score_classification2", MODEL.upper()])
def test_models_are_told_apart_by_their_tags(store: FeatureStore, other: str) -> None:
    """By the whole name, letter by letter, also where a database takes capitals for the same."""
    log(store, request("ours", _DAY, "c"), request("other", _DAY, "c", model_tag=f"{other}:x"))
    for name, number in ((MODEL, "1"), (other, "2")):
        score(store, _DAY, (number, "c", _DAY, "Good"), model_name=name, model_tag=f"{name}:x")
    assert _of_day(store)[columns.KEY].tolist() == [f"1|c|{_DAY}", "ours"]
    assert _of_day(store, other)[columns.KEY].tolist() == [f"2|c|{_DAY}", "other"]


def test_a_prediction_day_is_a_day_in_seoul(store: FeatureStore) -> None:
    """From its first microsecond to its last."""
    begins, ends, step = end_of("2025-03-09"), end_of(_DAY), timedelta(microseconds=1)
    moments = {"before": begins - step, "first": begins, "last": ends - step, "after": ends}
    log(store, *(request(name, moment, "c") for name, moment in moments.items()))
    assert _of_day(store)[columns.KEY].tolist() == ["first", "last"]
    assert begins == datetime(2025, 3, 9, 15, tzinfo=UTC)


def test_values_of_other_types_are_no_numbers_and_still_words(store: FeatureStore) -> None:
    """As far as they can be understood: a request is never lost for one."""
    log(
        store,
        request("a", _DAY, "c", features={"age": "31.5", "occupation": 7.0}),
        request("b", _DAY, "c", features={"age": "old", "occupation": None}),
        request("c", _DAY, "c", features={"age": None, "occupation": "null"}),
    )
    found = _of_day(store)
    assert found["age"].tolist() == pytest.approx([31.5, np.nan, np.nan], nan_ok=True)
    assert found["occupation"].tolist() == ["7.0", None, "null"]


def test_a_document_that_lacks_a_value_leaves_it_missing(store: FeatureStore) -> None:
    """As those of an earlier release, or of another program."""
    log(store, request("a", _DAY, "c"), request("b", _DAY, "c"))
    with store.database.transaction(writes=True) as connection:
        for name, text in (("features", "{}"), ("probabilities", '{\n"Good": 1}')):
            connection.execute(
                sa.text(f"UPDATE credit_predictions SET {name} = :text WHERE request_id = 'a'"),
                {"text": text},
            )
    found = _of_day(store).iloc[0]
    assert pd.isna([found["age"], found["occupation"], found["probability_poor"]]).all()
    assert found["probability_good"] == 1


def test_of_several_labels_the_earliest_in_time_counts(store: FeatureStore) -> None:
    """Not one from before the features, nor from after the window, nor another's."""
    log(
        store,
        request("a", _DAY, "a"),
        request("looked up", _DAY, "a", feature_date="2025-02-01"),
        request("no day", _DAY, "a", feature_date="2025-02-29"),
        request("late", _DAY, "late"),
        request("nobody", _DAY, None),
        request("no class", _DAY, "e"),
    )
    label(
        store,
        ("1", "a", "2025-03-04", "Poor"),
        ("2", "a", "2025-03-05", "Standard"),
        ("3", "a", "2025-03-11", "Good"),
        ("4", "a", "2025-03-12", "Poor"),
        ("5", "late", "2025-04-11", "Poor"),
        ("6", "A", _DAY, "Poor"),
        ("7", "e", _DAY, "good"),
        ("8", "e", "2025-03-20", "Good"),
    )
    expected = {
        "a": "Good", "looked up": "Poor", "no day": "Good", "late": None, "nobody": None,
        "no class": "Good",
    }  # fmt: skip
    assert _labels(_of_day(store)) == expected
    shorter = _labels(_of_day(store, label_days=9))
    assert (shorter["a"], shorter["no class"]) == ("Good", None)
    assert _labels(_of_day(store, label_days=32))["late"] == "Poor"


def test_of_labels_of_one_day_that_of_the_highest_id_counts(store: FeatureStore) -> None:
    """In the order of bytes, whichever was written first."""
    log(store, request("r", _DAY, "c"), request("s", _DAY, "d"))
    label(
        store,
        ("9", "c", _DAY, "Poor"), ("10", "c", _DAY, "Good"), ("A", "c", _DAY, "Standard"),
        ("b", "d", _DAY, "Poor"), ("C", "d", _DAY, "Good"),
    )  # fmt: skip
    assert _labels(_of_day(store)) == {"r": "Standard", "s": "Poor"}


def test_what_was_known_when(store: FeatureStore) -> None:
    """A label that the ledger first saw later is hidden, and no other one."""
    log(store, request("a", _DAY, "a"), request("b", _DAY, "b"))
    arrivals = Arrivals(store.database)
    label(store, ("0", "before", _DAY, "Good"))
    arrivals.record(now=noon("2025-03-01"))
    arrived = {"2025-04-01": ("1", "a", _DAY, "Good"), "2025-04-10": ("2", "b", _DAY, "Poor")}
    for day, row in arrived.items():
        label(store, row)
        arrivals.record(now=noon(day))
    assert _labels(_of_day(store)) == {"a": "Good", "b": "Poor"}
    for day, expected in (
        ("2025-03-31", {"a": None, "b": None}),
        ("2025-04-01", {"a": "Good", "b": None}),
        ("2025-04-10", {"a": "Good", "b": "Poor"}),
    ):
        assert _labels(_of_day(store, known_at=noon(day))) == expected


def test_a_table_without_a_key_gives_each_score_once(store: FeatureStore) -> None:
    """Whatever is repeated in the tables of others."""
    describe(store, ("1", "a", _DAY, {"age": 2.0}), ("2", "b", _DAY, {"age": 3.0}))
    label(store, ("1", "a", _DAY, "Good"))
    with store.database.transaction(writes=True) as connection:
        for table in ("credit_score_features", "credit_score"):
            copy = f"CREATE TABLE copied AS SELECT * FROM {table}"
            again = f"INSERT INTO copied SELECT * FROM {table}"
            for sql in (
                copy,
                again,
                f"DROP TABLE {table}",
                f"ALTER TABLE copied RENAME TO {table}",
            ):
                connection.exec_driver_sql(sql)
    score(store, _DAY, ("1", "a", _DAY, "Good"), ("2", "b", _DAY, "Good"))
    found = _of_day(store)
    assert found["age"].tolist() == [2.0, 3.0]
    assert found[columns.LABEL].tolist() == ["Good", None]
    of_day = ServedAnswers(store.database, MODEL).features_of_day(_DAY, most_rows=9)
    assert of_day["age"].tolist() == [2.0, 3.0]


def test_a_url_with_options_is_read_as_well(mariadb: MariaDB) -> None:
    """Which ConnectorX does not take: the same values, through SQLAlchemy."""
    url = mariadb.new_database()
    store, other = FeatureStore(url=url), FeatureStore(url=f"{url}?charset=utf8mb4")
    describe(store, ("1", "c", _DAY, {"age": 0.1, "occupation": "é"}))
    log(store, request("r", _DAY, "c", features={"occupation": "한"}), request("s", _DAY, None))
    score(store, _DAY, ("1", "c", _DAY, "Good"))
    label(store, ("1", "c", _DAY, "Good"))
    pd.testing.assert_frame_equal(_of_day(store), _of_day(other))
    frames = [
        ServedAnswers(each.database, MODEL).features_of_day(_DAY, most_rows=9)
        for each in (store, other)
    ]
    pd.testing.assert_frame_equal(*frames)
    volumes = [ServedAnswers(each.database, MODEL).volumes(_DAY, _DAY) for each in (store, other)]
    pd.testing.assert_frame_equal(*volumes)


def test_made_up_answers_are_like_those_of_a_store(store: FeatureStore) -> None:
    """The frame that other tests take in place of a store has the same columns and types."""
    log(store, request("r", _DAY, "c"))
    assert answers(5).dtypes.equals(_of_day(store).dtypes)
    assert answers(5, source="batch", labelled=0).dtypes.equals(_of_day(store).dtypes)
