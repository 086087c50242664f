"""A day on which a model answered many requests: logged as the service logs them, with labels."""

import json
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.database import client, database_of
from benchmarks.windows import BASE_DT
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import PROBABILITY_OF
from credit_ct_dagster.partitions import end_of
from credit_ct_dagster.resources.feature_store.served.tables import in_utc
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.serving.log.table import LogTable, predictions_table
from credit_ct_dagster_tests.mariadb import MariaDB

DAY = BASE_DT
_LABELLED = 0.7
_PIECE = 100_000
_SECONDS = 24 * 60 * 60
_REASONS = json.dumps(
    [
        {
            "feature": name,
            "direction": "raises",
            "contribution": 0.12345678901234,
            "sentence": f"{schema.COLUMNS[name].description}: higher than that of most customers.",
        }
        for name in ("interest_rate", "outstanding_debt", "delay_from_due_date", "num_of_loan")
    ]
)


def store_with_day(running: MariaDB, rows: int, model_tag: str) -> FeatureStore:
    """A database with so many requests of `DAY`, their features, and labels for most of them.

    The ledger of arrivals knows all of these rows, as where `credit-ct load` has loaded them.

    Args:
        running: The server.
        rows: How many requests, of almost as many customers.
        model_tag: The package that answered.
    """
    labels, features = generate(rows, date.fromisoformat(DAY), seed=0)
    # One customer per row: of those that come again, each month is somebody else.
    labels[schema.CUSTOMER] = features[schema.CUSTOMER] = labels["id"]
    features["date"] = DAY
    rng = np.random.default_rng(0)
    chances = _chances(labels[schema.TARGET].to_numpy(), rng)
    later = np.array([_later(days) for days in range(32)])
    labels["date"] = later[rng.integers(0, 32, rows)]
    store = database_of(running, (labels[rng.random(rows) < _LABELLED], features))
    log = LogTable(store.url, "FEATURE_STORE_URL", answer_seconds=60)
    log.prepare()
    log.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.tsv"
        for piece in _pieces(features, chances, model_tag, rng):
            piece.to_csv(path, sep="\t", index=False, header=False, quoting=3)
            names = ", ".join(piece.columns)
            client(store.url, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE credit_predictions"
                   f" ({names})")  # fmt: skip
    client(store.url, f"ANALYZE TABLE {predictions_table().name}")
    store.arrivals.record()
    return store


def _pieces(
    features: pd.DataFrame, chances: np.ndarray, model_tag: str, rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    begins = in_utc(end_of(DAY)) - timedelta(seconds=_SECONDS)
    classes = np.array(schema.CLASSES)
    for start in range(0, len(features), _PIECE):
        rows = features.iloc[start : start + _PIECE]
        likely = chances[start : start + _PIECE]
        numbers = np.arange(start, start + len(rows))
        seconds = pd.to_timedelta(numbers / len(features) * _SECONDS, unit="s")
        documents = pd.DataFrame(likely, columns=[*PROBABILITY_OF])
        yield pd.DataFrame(
            {
                "request_id": [f"{number:08x}-4d5a-4b1e-9c1d-0123456789ab" for number in numbers],
                "time": (pd.Timestamp(begins) + seconds).strftime("%Y-%m-%d %H:%M:%S.%f"),
                "customer_id": rows[schema.CUSTOMER].to_numpy(),
                "feature_date": DAY,
                "model_tag": model_tag,
                "base_dt": DAY,
                "registered_version": "1",
                "credit_score": classes[likely.argmax(axis=1)],
                "is_most_probable": 1,
                "probabilities": _lines(documents),
                "reasons": _REASONS,
                "compliance_flags": "[]",
                "warnings": "[]",
                "features": _lines(rows[schema.FEATURES]),
                "latency_ms": rng.lognormal(1.5, 0.6, len(rows)).round(3),
                "record_version": 1,
            }
        )


def _chances(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities of a model that is right in about three of four rows."""
    scores = rng.normal(0, 1.2, (len(labels), len(schema.CLASSES)))
    scores[np.arange(len(labels)), pd.Index(schema.CLASSES).get_indexer(labels)] += 1.5
    chances = np.exp(scores)
    return chances / chances.sum(axis=1, keepdims=True)


def _lines(rows: pd.DataFrame) -> list[str]:
    """Each row as a JSON document."""
    return rows.to_json(orient="records", lines=True, double_precision=15).splitlines()


def _later(days: int) -> str:
    return (date.fromisoformat(DAY) + timedelta(days=days)).isoformat()
