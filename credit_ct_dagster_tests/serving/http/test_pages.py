"""What can be read of the service: its OpenAPI page, its model, its state and its numbers."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.middleware import GateOptions
from credit_ct_dagster.serving.http.openapi import document
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    MemoryLog,
    running,
)


@pytest.fixture(scope="module")
def models(model: ServedModel) -> FixedModel:
    """Has the model."""
    return FixedModel(model)


@pytest.fixture(scope="module")
def log_state() -> dict[str, object]:
    """What the log says of itself."""
    return {"status": "ready", "waiting": 0}


@pytest.fixture(scope="module")
def client(models: FixedModel, log_state: dict[str, object]) -> Iterator[Client]:
    """A client of the service."""
    parts = Parts(
        models, MemoryLog(), details=lambda _: {"card": "A card"}, log_state=lambda: log_state
    )
    with running(parts) as client:
        yield client


def test_the_page_asks_no_foreign_server(client: Client) -> None:
    """The page and all of its files come from the service: it works without the internet."""
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(files) == 5
    for file in files:
        assert file.startswith("./static_content/")
        answered = client.get(file[1:])
        assert answered.status == 200
        assert answered.headers.get("cache-control") != "no-store"
    assert b"//www." not in page.body


def test_the_document_describes_every_route(client: Client) -> None:
    """Each path has its methods, bodies, answers and errors, and what they refer to is there."""
    found = client.get("/docs.json").json()
    assert found["openapi"] == "3.0.3"
    assert set(found["paths"]) == {
        "/predict", "/predict_many", "/predict_customer", "/model", "/livez", "/readyz", "/metrics",
    }  # fmt: skip
    schemas = found["components"]["schemas"]
    references = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert references <= set(schemas)
    assert schemas["Customer"]["required"] == schema.FEATURES
    assert "anyOf" not in str(found)
    customer_id = schemas["PredictionAnswer"]["properties"]["customer_id"]
    assert (customer_id["type"], customer_id["nullable"]) == ("string", True)
    assert list(found["paths"]["/predict"]["post"]["responses"]) == ["200", "4XX", "422", "5XX"]
    assert "securitySchemes" not in found["components"]
    row = schemas["Customer"]["example"]
    assert client.post("/predict", row).status == 200


def test_the_document_asks_for_a_key_where_one_is_needed(model: ServedModel) -> None:
    """The page's button for keys appears, and health stays open."""
    found = document(model.contract, "1", needs_key=True)
    assert found["security"] == [{"key": []}, {"bearer": []}]
    assert found["paths"]["/livez"]["get"]["security"] == []


def test_the_model_is_shown(client: Client) -> None:
    """Its names, its contract, and what the platform knows of it."""
    shown = client.get("/model").json()
    assert shown["tag"] == "credit_score_classification:2025-08-31"
    assert (shown["base_dt"], shown["version"]) == ("2025-08-31", "7")
    assert shown["data_fingerprint"] == "fingerprint"
    assert shown["classes"] == schema.CLASSES
    assert shown["protected"] == ["age", "credit_mix"]
    assert shown["features"]["properties"]["age"]["maximum"] == 120
    assert shown["details"] == {"card": "A card"}


def test_readiness_tells_what_is_degraded(
    client: Client, models: FixedModel, log_state: dict[str, object]
) -> None:
    """A champion that cannot be loaded, or a log without its database, is seen; answers go on."""
    assert client.get("/readyz").json()["status"] == "ready"
    models.problem = "The champion cannot be loaded."
    ready = client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["problem"] == "The champion cannot be loaded."
    models.problem = None
    log_state.update(status="degraded", waiting=12, lag_seconds=3.5)
    ready = client.get("/readyz")
    assert (ready.json()["status"], ready.json()["log"]["waiting"]) == ("degraded", 12)
    assert client.post("/predict", example()).status == 200
    numbers = _numbers(client.get("/metrics").body.decode())
    assert numbers["credit_ct_log_waiting", ()] == 12
    assert numbers["credit_ct_log_lag_seconds", ()] == 3.5
    assert numbers["credit_ct_degraded", ()] == 1
    log_state.update(accepting=False)
    ready = client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (503, "not ready")
    log_state.update(accepting=True)
    log_state.update(status="ready", waiting=0, lag_seconds=0)


def test_a_worker_without_its_database_is_seen_by_whichever_is_asked(model: ServedModel) -> None:
    """Otherwise an alert would come and go with the worker that Prometheus happens to reach."""
    log = {"status": "degraded"}
    parts = Parts(FixedModel(model), workers=lambda: [{"problem": None, "log": log}])
    with running(parts, GateOptions()) as client:
        numbers = _numbers(client.get("/metrics").body.decode())
        assert numbers["credit_ct_degraded", ()] == 1
        log["status"] = "ready"
        numbers = _numbers(client.get("/metrics").body.decode())
        assert numbers["credit_ct_degraded", ()] == 0


def test_requests_answers_and_refusals_are_counted(model: ServedModel) -> None:
    """By route and status, class and model, and by field; callers cannot make up series."""
    with running(Parts(FixedModel(model)), GateOptions()) as client:
        answers = [client.post("/predict", example()).json() for _ in range(3)]
        client.post("/predict", example() | {"age": 200, "made_up": 1})
        client.post("/predict", example() | {"occupation": "Astronaut"})
        client.post("/predict_many", [example(), example(), {}])
        client.get("/made_up")
        numbers = _numbers(client.get("/metrics").body.decode())
    assert numbers["credit_ct_requests_total", ("/predict", "200")] == 4
    assert numbers["credit_ct_requests_total", ("/predict", "422")] == 1
    assert numbers["credit_ct_requests_total", ("other", "404")] == 1
    assert numbers["credit_ct_request_seconds_count", ("/predict",)] == 5
    tag = model.identity.bentoml_tag
    assert numbers["credit_ct_answers_total", (answers[0]["credit_score"], tag)] >= 5
    assert numbers["credit_ct_refused_rows_total", ("age",)] == 2
    assert numbers["credit_ct_refused_rows_total", ("other",)] == 1
    assert numbers["credit_ct_unseen_words_total", ("occupation",)] == 1
    assert "made_up" not in str(numbers)


def test_the_numbers_of_all_workers_are_added_up(tmp_path: Path) -> None:
    """Two processes count in one folder, and either shows the sum."""
    program = (
        "from credit_ct_dagster.serving.http.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.request('/predict', 200, 0.01)\n"
        "print(metrics.text().decode())\n"
    )
    shown = ""
    for _ in range(2):
        shown = subprocess.run(
            [sys.executable, "-c", program],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert _numbers(shown)["credit_ct_requests_total", ("/predict", "200")] == 2


def _numbers(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }
