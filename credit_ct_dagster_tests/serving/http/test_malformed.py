"""Malformed requests: each is the caller's error, quotes nothing, and harms nobody."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster_tests.serving.http.malformed import (
    CANARY,
    CANARY_NUMBER,
    malformed_requests,
    require_harmless,
)
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    KnownCustomers,
    MemoryLog,
    running,
)

EXAMPLES = 300


@pytest.fixture(scope="module")
def client(model: ServedModel) -> Iterator[Client]:
    """A client of the service."""
    with running(Parts(FixedModel(model), MemoryLog(), KnownCustomers({}))) as client:
        yield client


def test_a_malformed_request_is_the_callers_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the document forbids gets 4xx without a value, and the service answers on."""
    requests = malformed_requests(client.get("/docs.json").json())

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def send(data: st.DataObject) -> None:
        require_harmless(client, data.draw(requests))

    with caplog.at_level(logging.DEBUG):
        send()
    assert CANARY not in caplog.text
    assert str(CANARY_NUMBER) not in caplog.text
    assert client.post("/predict", example()).status == 200
