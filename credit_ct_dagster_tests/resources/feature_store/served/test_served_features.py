"""The features of a day's answers, and tables of other systems as the source of them."""

import zlib

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import LATIN, create, insert
from credit_ct_dagster_tests.served_rows import (
    FEATURES,
    MODEL,
    describe,
    label,
    log,
    request,
    score,
)

_DAY = "2025-03-10"


def _served(store: FeatureStore) -> ServedAnswers:
    return ServedAnswers(store.database, MODEL)


def test_features_are_those_that_were_scored(store: FeatureStore) -> None:
    """Of a request from the log, of a score from the table of features, ready to be scored."""
    given = {"age": None, "annual_income": 1234.5, "occupation": None, "type_of_loan": 'a, "b" é'}
    log(store, request("r", _DAY, "c", features=given), request("s", "2025-03-11", "c"))
    describe(
        store,
        ("1", "d", _DAY, {"age": 20.0, "occupation": " ", "credit_mix": "Good "}),
        ("1", "d", "2025-03-09", {"age": 99.0}),
    )
    score(store, _DAY, ("1", "d", _DAY, "Good"), ("2", "deleted", _DAY, "Good"))
    found = _served(store).features_of_day(_DAY, most_rows=10)
    assert found.columns.tolist() == columns.FEATURES
    assert found[columns.KEY].tolist() == [f"1|d|{_DAY}", "r"]
    # As the pipeline reads them: a word of blanks is missing.
    batch = FEATURES | {"age": 20.0, "occupation": None, "credit_mix": "Good"}
    expected = pd.DataFrame([batch, FEATURES | given]).astype(found.dtypes[schema.FEATURES])
    pd.testing.assert_frame_equal(found[schema.FEATURES], expected)


def test_a_feature_of_another_type_is_understood_or_missing(store: FeatureStore) -> None:
    """One such request changes nothing about the others."""
    log(
        store,
        request("a", _DAY, "c", features={"age": "31", "occupation": 4.0}),
        request("b", _DAY, "c", features={"age": "old"}),
        request("c", _DAY, "c", features={"age": 5.0}),
    )
    found = _served(store).features_of_day(_DAY, most_rows=10)
    assert found["age"].tolist() == pytest.approx([31, np.nan, 5], nan_ok=True)
    assert found["occupation"].tolist() == ["4.0", "words", "words"]
    assert found["annual_income"].tolist() == [1.0] * 3


def test_a_sample_has_the_same_customers_every_day(store: FeatureStore) -> None:
    """Those with the lowest checksums, each with all of its answers of both kinds."""
    customers = sorted((f"c{n}" for n in range(40)), key=lambda name: zlib.crc32(name.encode()))
    for day in (_DAY, "2025-03-11"):
        log(store, *(request(f"{day}-{c}-{n}", day, c) for c in customers for n in range(2)))
        score(store, day, *((c, c, day, "Good") for c in customers))
    describe(store, *((c, c, day, {}) for c in customers for day in (_DAY, "2025-03-11")))
    samples = {}
    for day in (_DAY, "2025-03-11"):
        found = _served(store).features_of_day(day, most_rows=31)
        assert len(found) == 30
        assert set(found.groupby(columns.CUSTOMER).size()) == {3}
        samples[day] = {*found[columns.CUSTOMER]}
        answers = _served(store).of_day(day, most_rows=31)
        assert sorted(answers[columns.KEY]) == sorted(found[columns.KEY])
    assert samples[_DAY] == samples["2025-03-11"] == {*customers[:10]}
    fewer = _served(store).features_of_day(_DAY, most_rows=7)
    assert {*fewer[columns.CUSTOMER]} == {*customers[:2]}


def test_a_customer_with_more_answers_than_a_sample_fills_it(store: FeatureStore) -> None:
    """It is never empty, and never larger than was asked for."""
    log(store, *(request(f"r{n}", _DAY, "c") for n in range(9)))
    found = _served(store).features_of_day(_DAY, most_rows=4)
    assert found[columns.KEY].tolist() == ["r0", "r1", "r2", "r3"]


def test_requests_without_a_customer_are_sampled_one_by_one(store: FeatureStore) -> None:
    """By their request ids."""
    log(store, *(request(f"r{n}", _DAY, None) for n in range(20)))
    keys = sorted((f"r{n}" for n in range(20)), key=lambda name: zlib.crc32(name.encode()))
    found = _served(store).features_of_day(_DAY, most_rows=6)
    assert {*found[columns.KEY]} == {*keys[:6]}
    assert found[columns.CUSTOMER].tolist() == [None] * 6


@pytest.mark.parametrize(
    "types",
    [
        {
            "date": "DATE NOT NULL", "id": "BIGINT NOT NULL", "customer_id": "BIGINT NOT NULL",
            "age": "DECIMAL(10, 2)", "annual_income": "INT",
        },
        {
            "date": "DATETIME NOT NULL", "id": "VARBINARY(10) NOT NULL",
            "customer_id": "VARBINARY(10) NOT NULL", "occupation": "ENUM('words', 'other')",
        },
        {
            "date": "VARCHAR(30) NOT NULL", "id": f"VARCHAR(10) {LATIN} NOT NULL",
            "customer_id": f"VARCHAR(10) {LATIN} NOT NULL", "credit_score": f"VARCHAR(10) {LATIN}",
        },
    ],
    ids=["dates and numbers", "moments and bytes", "texts of another charset"],
)  # fmt: skip
def test_tables_of_other_systems_give_the_same_answers(
    mariadb: MariaDB, types: dict[str, str]
) -> None:
    """As those that the platform creates: labels, features and what is beside them."""
    plain, foreign = FeatureStore(url=mariadb.new_database()), create(mariadb, types)
    keys = [(f"{n}", f"{n % 7}", f"2025-03-{3 + n:02d}") for n in range(12)]
    words = [schema.CLASSES[n % 3] for n in range(12)]
    rows = pd.DataFrame(
        [dict(zip(schema.KEY, key, strict=True)) | FEATURES | {"age": 20.0 + n}
         for n, key in enumerate(keys)]
    ).reindex(columns=schema.FEATURE_COLUMNS)  # fmt: skip
    classes = [(*key, word) for key, word in zip(keys, words, strict=True)]
    plain.upsert({"credit_score_features": rows})
    label(plain, *classes)
    insert(foreign, "credit_score_features", rows)
    insert(foreign, "credit_score", pd.DataFrame(classes, columns=schema.LABEL_COLUMNS))
    came = pd.DataFrame([rows.iloc[0].to_dict() | {"customer_id": "3", "date": "2025-03-09"}])
    found = []
    for store in (plain, foreign):
        store.arrivals.record()
        insert(store, "credit_score_features", came)
        store.arrivals.record()
        log(store, *(request(f"r{n}", _DAY, f"{n}") for n in [*range(9), "한", "00", "x' OR ''='"]))
        score(store, _DAY, *((*key, "Good") for key in keys[:8]))
        served = _served(store)
        beside = served.beside_the_store(_DAY, most_rows=100)
        found.append(
            (
                served.of_day(_DAY),
                served.features_of_day(_DAY, most_rows=100),
                beside.served,
                beside.stored,
                beside.later,
                *beside.older,
            )
        )
        assert len(beside.later) == 1
        assert served.of_day(_DAY)[columns.LABEL].notna().sum() == 13
        assert beside.without_row == 5
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)
