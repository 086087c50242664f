"""Predictions for tests of the log."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.log.prediction import Prediction

FEATURES: dict[str, float | str | None] = {
    name: 0.1 if name in schema.NUMERIC else "Some words" for name in schema.FEATURES
} | {"age": None}


def prediction(request_id: str, **others: Any) -> Prediction:
    """A prediction as the service makes it."""
    values: dict[str, Any] = {
        "time": datetime.now(UTC),
        "model_tag": "credit_score_classification:abc",
        "base_dt": "2025-03-09",
        "registered_version": "3",
        "credit_score": "Poor",
        "is_most_probable": False,
        "probabilities": {"Poor": 0.7, "Standard": 0.2, "Good": 0.1},
        "reasons": [{"feature": "age", "direction": "missing", "contribution": 0.25}],
        "compliance_flags": ["age"],
        "features": FEATURES,
        "latency_ms": 2.5,
    }
    return Prediction(request_id, **values | others)


def eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)
