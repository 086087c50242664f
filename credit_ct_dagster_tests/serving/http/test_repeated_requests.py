"""A repeated request is recognized, also by a model that takes other features."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.asked_rows import AskedRow, same_prediction
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.refusals import RefusedError
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster_tests.serving.http.small_service import (
    FixedModel,
    MemoryLog,
    refused,
    running,
)


def test_a_request_is_the_same_for_a_model_with_other_features(model: ServedModel) -> None:
    """A retry after a promotion gets the stored answer; what differs in any feature, a conflict."""
    without_age = RowContract(features=[name for name in schema.FEATURES if name != "age"])
    models, log = FixedModel(model), MemoryLog()
    row = example() | {"occupation": " Lawyer "}
    with running(Parts(models, log)) as client:
        first = client.post("/predict", row, Idempotency_Key="before")
        models.current = replace(model, contract=without_age)
        for same in (row, {name: row[name] for name in row if name != "age"}):
            again = client.post("/predict", same, Idempotency_Key="before")
            assert (again.status, again.json()) == (200, first.json())
        for differing in ({"annual_income": 1.0}, {"age": 99}, {"age": None}, {"customer_id": "2"}):
            reply = client.post("/predict", row | differing, Idempotency_Key="before")
            assert refused(reply, 409, "conflict") == []

        stored = log.find_many(["before"])["before"]
        fewer = {name: stored.features[name] for name in without_age.features}
        log.record(replace(stored, request_id="without", features=fewer))
        models.current = model
        again = client.post("/predict", row, Idempotency_Key="without")
        assert (again.status, again.json()) == (200, first.json() | {"request_id": "without"})
        other = client.post("/predict", row | {"annual_income": 1.0}, Idempotency_Key="without")
        refused(other, 409, "conflict")


def test_models_without_a_feature_in_common_have_no_request_in_common() -> None:
    """Nothing tells then that it is the same customer."""
    stored = SimpleNamespace(features={"age": 33.0}, customer_id=None)
    row = AskedRow("key", {"annual_income": 1.0}, [])
    assert isinstance(same_prediction(cast("Prediction", stored), row), RefusedError)
