"""Answers that were served, labels and features, for tests: as rows of a store, or as a frame."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.partitions import end_of
from credit_ct_dagster.resources.feature_store.scores import AnswersFile, CustomerScores, ScoredBy
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.table import create_statements, predictions_table

MODEL = "credit_score_classification"
TAG = f"{MODEL}:first"
FEATURES: dict[str, float | str | None] = {
    name: 1.0 if name in schema.NUMERIC else "words" for name in schema.FEATURES
}


def noon(day: str) -> datetime:
    """Noon in Seoul of a day, in UTC."""
    return end_of(day).astimezone(UTC) - timedelta(hours=12)


def request(
    request_id: str,
    when: str | datetime,
    customer_id: str | None,
    predicted: str = "Poor",
    *,
    probabilities: Sequence[float] = (0.7, 0.2, 0.1),
    features: Mapping[str, float | str | None] | None = None,
    **others: Any,
) -> Prediction:
    """An answer to a request.

    Args:
        request_id: Names it.
        when: The moment with a time zone, or a prediction day: noon in Seoul.
        customer_id: Whose.
        predicted: The class.
        probabilities: From worst to best.
        features: Those that differ from `FEATURES`.
        others: Further attributes of `Prediction`: `model_tag`, `feature_date`, `latency_ms` …
    """
    values: dict[str, Any] = {
        "model_tag": TAG,
        "base_dt": "2025-03-01",
        "registered_version": "1",
        "is_most_probable": True,
        "latency_ms": 2.5,
    }
    return Prediction(
        request_id=request_id,
        time=noon(when) if isinstance(when, str) else when,
        customer_id=customer_id,
        credit_score=predicted,
        probabilities=dict(zip(schema.CLASSES, probabilities, strict=True)),
        features=FEATURES | dict(features or {}),
        **values | others,
    )


def log(store: FeatureStore, *requests: Prediction) -> None:
    """Write answers to requests into `credit_predictions`, which is created where it is missing."""
    with store.database.transaction(writes=True) as connection:
        for statement in create_statements(connection.dialect):
            connection.exec_driver_sql(statement)
        if requests:
            rows = [each.to_row() for each in requests]
            connection.execute(predictions_table().insert(), rows)


def score(
    store: FeatureStore,
    base_dt: str,
    *rows: tuple[str, str, str, str],
    probabilities: Sequence[float] = (0.7, 0.2, 0.1),
    model_name: str = MODEL,
    model_tag: str = TAG,
) -> None:
    """Replace the scores of a base date.

    Args:
        store: Where.
        base_dt: The base date.
        rows: id, customer, date of the features, and predicted class.
        probabilities: Of every row, from worst to best.
        model_name: Whose scores.
        model_tag: The package that scored.
    """
    frame = pd.DataFrame(rows, columns=[*schema.KEY, "credit_score"]).assign(
        is_most_probable=True,
        reasons=None,
        compliance_flags=None,
        **dict(zip(columns.PROBABILITIES, probabilities, strict=True)),
    )
    by = ScoredBy(model_tag, "2025-03-01", "1", "run", f"{base_dt} 23:00:00")
    with AnswersFile() as file:
        if rows:
            file.append(frame)
        CustomerScores(store.database, model_name).replace(base_dt, file, by)


def label(store: FeatureStore, *rows: tuple[str, str, str, str]) -> None:
    """Write labels: id, customer, date and class."""
    store.upsert({"credit_score": pd.DataFrame(rows, columns=schema.LABEL_COLUMNS)})


def describe(
    store: FeatureStore, *rows: tuple[str, str, str, Mapping[str, float | str | None]]
) -> None:
    """Write features: id, customer, date, and the values that differ from `FEATURES`."""
    given = [
        dict(zip(schema.KEY, key, strict=True)) | FEATURES | dict(values) for *key, values in rows
    ]
    frame = pd.DataFrame(given).reindex(columns=schema.FEATURE_COLUMNS)
    store.upsert({"credit_score_features": frame})


def answers(
    rows: int,
    *,
    seed: int = 0,
    source: str = columns.REQUEST,
    model_tag: str = TAG,
    labelled: float = 1.0,
    concept: float = 0.0,
    day: str = "2025-03-10",
    label_date: str = "2025-03-30",
) -> pd.DataFrame:
    """A frame as `ServedAnswers.of_day` returns it, of a calibrated model, without any store.

    Args:
        rows: How many answers, of half as many customers.
        seed: The same seed gives the same rows; the same customers whatever it is.
        source: Of all of them.
        model_tag: The package that answered.
        labelled: The share that has a label.
        concept: The share of labels that are drawn anew, whatever was predicted.
        day: The prediction day.
        label_date: Of every label.
    """
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (rows, len(schema.CLASSES)))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = (chances.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    anew = rng.random(rows) < concept
    truth[anew] = rng.integers(0, len(schema.CLASSES), int(anew.sum()))
    classes = np.array(schema.CLASSES, dtype=object)
    known = rng.random(rows) < labelled
    is_request = source == columns.REQUEST
    made = pd.DataFrame(
        {
            columns.SOURCE: source,
            columns.KEY: [f"{source}-{number:07d}" for number in range(rows)],
            columns.CUSTOMER: [f"c{number // 2}" for number in range(rows)],
            columns.MODEL_TAG: model_tag,
            columns.PREDICTED: classes[chances.argmax(axis=1)],
            **dict(zip(columns.PROBABILITIES, chances.T, strict=True)),
            columns.LABEL: np.where(known, classes[truth], None),
            columns.LABEL_DATE: [label_date if each else None for each in known],
            "age": rng.integers(18, 70, rows).astype("float64"),
            "occupation": np.array(["Teacher", "Lawyer", None], dtype=object)[
                rng.integers(0, 3, rows)
            ],
            columns.LATENCY: rng.gamma(2, 2, rows) if is_request else np.nan,
            columns.TIME: noon(day).replace(tzinfo=None) if is_request else pd.NaT,
        }
    )
    return made.astype({name: columns.type_of(name) for name in columns.ANSWERS})[columns.ANSWERS]
