"""Ten thousand malformed requests: no failure, no value echoed, and the service alive."""

import logging
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster_tests.serving.http.malformed import (
    CANARY,
    CANARY_NUMBER,
    Malformed,
    malformed_requests,
    require_harmless,
)
from credit_ct_dagster_tests.serving.http.small_service import (
    FixedModel,
    KnownCustomers,
    MemoryLog,
    running,
    served,
    small_model,
)

REQUESTS = 10_000


def test_ten_thousand_malformed_requests_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Each is answered with 4xx without a value; a right one in between is answered as before."""
    parts = Parts(FixedModel(served(*small_model())), MemoryLog(), KnownCustomers({}))
    sent: Counter[str] = Counter()
    with running(parts) as client, caplog.at_level(logging.INFO):
        requests = malformed_requests(client.get("/docs.json").json())
        expected = client.post("/predict", example()).json()["probabilities"]

        @settings(
            max_examples=REQUESTS,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(st.data())
        def send(data: st.DataObject) -> None:
            asked: Malformed = data.draw(requests)
            require_harmless(client, asked)
            sent[asked.path] += 1
            if sent.total() % 100 == 0:
                assert client.post("/predict", example()).json()["probabilities"] == expected

        send()
        assert client.post("/predict", example()).json()["probabilities"] == expected
    assert sum(sent.values()) >= REQUESTS
    assert CANARY not in caplog.text
    assert str(CANARY_NUMBER) not in caplog.text
