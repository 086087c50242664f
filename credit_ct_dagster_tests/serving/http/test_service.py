"""The service over HTTP: what it answers, logs, refuses and shows."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from credit_ct_dagster.errors.stores import (
    DuplicateRequestError,
    FeatureStoreUnavailableError,
    PredictionNotLoggedError,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.answers import PredictionAnswer, PredictionsAnswer
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    KnownCustomers,
    MemoryLog,
    as_json,
    refused,
    running,
    sample_rows,
)


@pytest.fixture(scope="module")
def parts(model: ServedModel) -> Parts:
    """A log in memory, and a feature store with one customer."""
    newest = example() | {"age": float("nan"), "id": "1", "date": "2025-08-01"}
    customers = KnownCustomers(
        {"known": ("2025-08-01", newest), "broken": ("2025-08-01", newest | {"age": 200.0})}
    )
    return Parts(
        FixedModel(model),
        MemoryLog(),
        customers,
        details=lambda model: {"card": f"Card of {model.identity.base_dt}"},
        log_state=lambda: {"status": "ready", "waiting": 0},
    )


@pytest.fixture(scope="module")
def client(parts: Parts) -> Iterator[Client]:
    """A client of the service."""
    with running(parts) as client:
        yield client


def logged(parts: Parts, request_id: str) -> Prediction:
    """What the log has of a request."""
    assert parts.log is not None
    return parts.log.find_many([request_id])[request_id]


def test_a_customer_is_scored_and_logged_before_the_answer(
    client: Client, parts: Parts, model: ServedModel
) -> None:
    """The answer is the scorer's, names the model, and is in the log with the features."""
    reply = client.post("/predict", example() | {"customer_id": "CUS_1"})
    assert reply.status == 200
    answer = PredictionAnswer.model_validate(reply.json())
    expected = model.scorer.score(example())
    assert answer.credit_score == expected.credit_score
    assert answer.probabilities == expected.probabilities
    assert list(answer.probabilities) == schema.CLASSES
    assert answer.is_most_probable == expected.is_most_probable
    assert [reason.model_dump() for reason in answer.reasons] == [
        reason.as_dict() for reason in expected.reasons
    ]
    assert answer.customer_id == "CUS_1"
    assert answer.model.model_dump() == {
        "tag": "credit_score_classification:2025-08-31",
        "base_dt": "2025-08-31",
        "version": "7",
    }
    assert reply.headers["x-request-id"] == answer.request_id
    entry = logged(parts, answer.request_id)
    assert entry.features == example()
    assert (entry.credit_score, entry.customer_id) == (answer.credit_score, "CUS_1")
    assert reply.json() == json.loads(answer.model_dump_json())


def test_a_protected_reason_raises_a_flag(client: Client, model: ServedModel) -> None:
    """A reason that rests on a protected feature is answered, and flagged."""
    rows = as_json(sample_rows(400, seed=1))
    answers = client.post("/predict_many", rows[:1_000]).json()["results"]
    flagged = [each["prediction"] for each in answers if each["prediction"]["compliance_flags"]]
    assert flagged
    for answer in flagged:
        protected = [reason["feature"] for reason in answer["reasons"] if reason["protected"]]
        assert answer["compliance_flags"] == protected
        assert set(protected) <= {"age", "credit_mix"}


def test_the_same_key_gets_the_same_answer_once(client: Client, parts: Parts) -> None:
    """A repeated request gets the stored answer; another customer under its key is a conflict."""
    row = example() | {"customer_id": "1"}
    first = client.post("/predict", row, Idempotency_Key="order-1")
    assert first.json()["request_id"] == "order-1"
    assert isinstance(parts.log, MemoryLog)
    lines = dict(parts.log.lines)
    again = client.post("/predict", row, Idempotency_Key="order-1")
    assert (again.status, again.json()) == (200, first.json())
    assert parts.log.lines == lines
    for other in (row | {"age": 34}, row | {"customer_id": "2"}):
        reply = client.post("/predict", other, Idempotency_Key="order-1")
        assert refused(reply, 409, "conflict") == []


def test_a_request_that_arrives_twice_at_once_gets_one_answer(model: ServedModel) -> None:
    """Where the log has the key already when it writes, the first prediction is answered."""

    class Racing(MemoryLog):
        looked = 0

        def find(self, request_id: str) -> Prediction | None:
            self.looked += 1
            return None if self.looked == 1 else super().find(request_id)

    log = Racing()
    with running(Parts(FixedModel(model), log)) as client:
        first = client.post("/predict", example(), Idempotency_Key="twice")
        log.looked, log.fails_with = 0, DuplicateRequestError("It is there already.")
        again = client.post("/predict", example(), Idempotency_Key="twice")
        assert (again.status, again.json()) == (200, first.json())
        log.looked = 0
        other = client.post("/predict", example() | {"age": 50}, Idempotency_Key="twice")
        refused(other, 409, "conflict")


def test_many_customers_are_answered_as_each_alone(client: Client, parts: Parts) -> None:
    """Rows are scored together to the same bits; one bad row never fails another."""
    rows: list[Any] = as_json(sample_rows(30, seed=2))[:30]
    bad = {3: rows[3] | {"age": "old"}, 7: [], 11: {}, 29: rows[29] | {"ssn": "1"}}
    sent = [bad.get(place, row) for place, row in enumerate(rows)]
    reply = client.post("/predict_many", sent, Idempotency_Key="many")
    assert reply.status == 200
    answered = PredictionsAnswer.model_validate(reply.json())
    assert (answered.answered, answered.refused) == (26, 4)
    for result in reply.json()["results"]:
        place = result["row"]
        if place in bad:
            assert result["error"]["code"] == "invalid_customer"
            continue
        alone = client.post("/predict", rows[place]).json()
        assert result["prediction"] == alone | {"request_id": f"many-{place}"}
        assert logged(parts, f"many-{place}").features == rows[place]
    assert client.post("/predict_many", sent, Idempotency_Key="many").json() == reply.json()
    other = client.post("/predict_many", [rows[1], rows[1]], Idempotency_Key="many").json()
    assert [result.get("error", {}).get("code") for result in other["results"]] == [
        "conflict",
        None,
    ]


def test_a_known_customer_is_scored_by_the_newest_features(client: Client, parts: Parts) -> None:
    """The feature store's row is scored, and the answer says of which day it is."""
    reply = client.post("/predict_customer", {"customer_id": "known"}, Idempotency_Key="known-1")
    assert reply.status == 200
    answer = PredictionAnswer.model_validate(reply.json())
    assert (answer.customer_id, answer.feature_date) == ("known", "2025-08-01")
    assert logged(parts, answer.request_id).features == example() | {"age": None}
    again = client.post("/predict_customer", {"customer_id": "known"}, Idempotency_Key="known-1")
    assert again.json() == reply.json()
    other = client.post("/predict_customer", {"customer_id": "other"}, Idempotency_Key="known-1")
    refused(other, 409, "conflict")


def test_a_customer_who_cannot_be_scored_is_refused(client: Client) -> None:
    """An unknown customer is not found; one whose row breaks a rule is named with the rule."""
    unknown = client.post("/predict_customer", {"customer_id": "nobody"})
    assert refused(unknown, 404, "unknown_customer") == []
    problems = refused(
        client.post("/predict_customer", {"customer_id": "broken"}), 422, "invalid_customer"
    )
    assert problems == [{"field": "age", "rule": "must be 14 to 120"}]
    bodies: list[Any] = [{}, {"customer_id": 1}, {"customer_id": "1", "age": 3}, [], "1", None]
    for body in bodies:
        refused(client.post("/predict_customer", body), 422, "invalid_request")


def test_without_a_model_nothing_is_answered() -> None:
    """A service without a champion is alive, not ready, and says so."""
    with running(Parts(FixedModel(None))) as client:
        for path, body in (("/predict", example()), ("/predict_many", [example()])):
            reply = client.post(path, body)
            refused(reply, 503, "CT-SERVE-1")
            assert reply.headers["retry-after"] == "1"
        refused(client.get("/model"), 503, "CT-SERVE-1")
        assert client.get("/livez").status == 200
        ready = client.get("/readyz")
        assert (ready.status, ready.json()["status"]) == (503, "not ready")
        assert client.get("/docs.json").status == 200


def test_what_cannot_be_logged_is_not_answered(
    model: ServedModel, caplog: pytest.LogCaptureFixture
) -> None:
    """Without database and spool there is no answer; nor where a library fails, without a trace."""
    log = MemoryLog()
    row = example() | {"occupation": "Canary"}
    with running(Parts(FixedModel(model), log)) as client, caplog.at_level(logging.DEBUG):
        log.fails_with = PredictionNotLoggedError("Nothing could be written.")
        refused(client.post("/predict", row), 503, "CT-LOG-1")
        refused(client.post("/predict_many", [row, row]), 503, "CT-LOG-1")
        log.fails_with = KeyError("Canary")
        reply = client.post("/predict", row)
        refused(reply, 500, "CT-UNEXPECTED-1")
        assert b"Canary" not in reply.body
    assert "Canary" not in caplog.text
    assert "was not answered: KeyError" in caplog.text


def test_a_feature_store_that_is_away_is_no_fault_of_the_caller(model: ServedModel) -> None:
    """The answer has the code of the runbook, and not the address of the database."""

    class Away(KnownCustomers):
        def newest_features(self, customer_id: str) -> None:
            raise FeatureStoreUnavailableError("The feature store at db.internal is away.")

    with running(Parts(FixedModel(model), customers=Away({}))) as client:
        reply = client.post("/predict_customer", {"customer_id": "1"})
        refused(reply, 503, FeatureStoreUnavailableError.code)
        assert b"db.internal" not in reply.body


def test_a_request_keeps_the_model_that_it_started_with(model: ServedModel) -> None:
    """A promotion in the middle of a request does not mix two models in its answer."""
    newer = replace(model, identity=model.identity.model_copy(update={"base_dt": "2025-09-01"}))
    models = FixedModel(model)

    class Promoting(MemoryLog):
        def find(self, request_id: str) -> Prediction | None:
            models.current = newer
            return super().find(request_id)

    with running(Parts(models, Promoting())) as client:
        for expected in ("2025-08-31", "2025-09-01"):
            answer = client.post("/predict", example(), Idempotency_Key=expected).json()
            assert answer["model"]["base_dt"] == expected


def test_requests_at_the_same_time_are_all_answered(client: Client, model: ServedModel) -> None:
    """Every caller gets the answer to the own customer."""
    rows = as_json(sample_rows(80, seed=3))[:80]

    def answers(part: list[dict[str, Any]]) -> list[dict[str, float]]:
        other = Client(client.port)
        try:
            return [other.post("/predict", row).json()["probabilities"] for row in part]
        finally:
            other.close()

    with ThreadPoolExecutor(8) as threads:
        found = [each for part in threads.map(answers, [rows[i::8] for i in range(8)])
                 for each in part]  # fmt: skip
    sent = [row for i in range(8) for row in rows[i::8]]
    assert found == [model.scorer.score(row, reasons=False).probabilities for row in sent]
