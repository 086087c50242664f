"""Callers whose features differ from the training's: refused, warned of, or seen in the log."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.contract import UNSEEN
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    MemoryLog,
    as_json,
    running,
    sample_rows,
)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    """The log of the service."""
    return MemoryLog()


@pytest.fixture(scope="module")
def client(model: ServedModel, log: MemoryLog) -> Iterator[Client]:
    """A client of the service."""
    with running(Parts(FixedModel(model), log)) as client:
        yield client


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Customers as training knows them, without missing values."""
    return [row for row in as_json(sample_rows(60, seed=4)) if None not in row.values()][:20]


def features_in(log: MemoryLog, answer: dict[str, Any]) -> dict[str, Any]:
    """What the log says that was scored."""
    found = log.find(answer["request_id"])
    assert found is not None
    assert found.warnings == answer["warnings"]
    return dict(found.features)


def test_lower_cased_words_are_refused_or_warned_of(
    client: Client, log: MemoryLog, rows: list[dict[str, Any]]
) -> None:
    """Words of closed sets are refused; others are named in answer and log."""
    for row in rows:
        lowered = {name: row[name].lower() for name in ("credit_mix", "payment_of_min_amount")}
        reply = client.post("/predict", row | lowered)
        assert reply.status == 422
        problems = {each["field"] for each in reply.json()["error"]["problems"]}
        assert problems == {"credit_mix", "payment_of_min_amount"}
        answer = client.post("/predict", row | {"occupation": row["occupation"].lower()}).json()
        assert answer["warnings"] == [{"field": "occupation", "rule": UNSEEN}]
        assert features_in(log, answer)["occupation"] == row["occupation"].lower()


def test_years_instead_of_months_are_in_the_log(
    client: Client, log: MemoryLog, rows: list[dict[str, Any]]
) -> None:
    """A history in years lies within the bounds, so the log holds it for the drift to be seen."""
    for row in rows:
        years = row["credit_history_age"] / 12
        answer = client.post("/predict", row | {"credit_history_age": years}).json()
        assert features_in(log, answer) == row | {"credit_history_age": years}
    logged = [features_in(log, {"request_id": each, "warnings": []})["credit_history_age"]
              for each in list(log.lines)[-len(rows):]]  # fmt: skip
    known = [row["credit_history_age"] for row in rows]
    assert float(np.median(logged)) < min(known) + 0.25 * (max(known) - min(known))


def test_a_reversed_list_of_loans_is_in_the_log_as_it_came(
    client: Client, log: MemoryLog, rows: list[dict[str, Any]]
) -> None:
    """The order of a list is not lost on the way to the log."""
    for row in rows:
        turned = ",".join(reversed(row["type_of_loan"].split(",")))
        answer = client.post("/predict", row | {"type_of_loan": turned}).json()
        assert features_in(log, answer)["type_of_loan"] == turned


def test_single_precision_changes_no_class(
    client: Client, log: MemoryLog, rows: list[dict[str, Any]]
) -> None:
    """A caller who computes in float32 gets the same classes; the log shows the digits."""
    for row in rows:
        single = {name: float(np.float32(row[name])) for name in schema.NUMERIC}
        answer = client.post("/predict", row | single).json()
        assert answer["credit_score"] == client.post("/predict", row).json()["credit_score"]
        assert features_in(log, answer) == row | single
