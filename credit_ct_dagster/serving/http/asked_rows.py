"""The customers of a request: how they are scored together, and what the log keeps of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.scorer.reasons import protected_features
from credit_ct_dagster.serving.contract import Problem
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.refusals import RefusedError
from credit_ct_dagster.serving.log.prediction import Prediction

if TYPE_CHECKING:  # CatBoost takes seconds to import
    from credit_ct_dagster.scorer.scorer import Answer


@dataclass(frozen=True)
class AskedRow:
    """A customer to be scored.

    Attributes:
        request_id: Identifies the prediction.
        features: Raw, without blanks around words.
        warnings: About words that the model does not know.
        customer_id: Where known.
        feature_date: Where the features were looked up, YYYY-MM-DD.
        ignored: Features that were given and that the model does not take.
    """

    request_id: str
    features: Mapping[str, Any]
    warnings: Sequence[Problem]
    customer_id: str | None = None
    feature_date: str | None = None
    ignored: Mapping[str, Any] = field(default_factory=dict)


def answers_to(model: ServedModel, rows: Sequence[AskedRow], with_reasons: bool) -> "list[Answer]":
    """The answers to many rows, in one call of the model; a test holds them equal to `score`."""
    import pandas as pd

    from credit_ct_dagster.scorer.scorer import Answer

    if not rows:
        return []
    frame = pd.DataFrame([row.features for row in rows], columns=model.scorer.columns)
    answered = model.scorer.answer_rows(frame, with_reasons)
    classes = model.scorer.classes
    probabilities = answered[[f"probability_{name.lower()}" for name in classes]].to_numpy()
    reasons = answered["reasons"] if with_reasons else [()] * len(rows)
    return [
        Answer(
            str(credit_score),
            dict(zip(classes, values.tolist(), strict=True)),
            bool(classes[int(values.argmax())] == credit_score),
            tuple(given),
        )
        for credit_score, values, given in zip(
            answered[CLASS_COLUMN], probabilities, reasons, strict=True
        )
    ]


def prediction_of(
    identity: ModelIdentity, row: AskedRow, answer: "Answer", now: datetime, latency_ms: float
) -> Prediction:
    """What the log keeps, and the answer is made of."""
    return Prediction(
        request_id=row.request_id,
        time=now,
        model_tag=identity.bentoml_tag,
        base_dt=identity.base_dt,
        registered_version=identity.registered_version or None,
        credit_score=answer.credit_score,
        is_most_probable=answer.is_most_probable,
        probabilities=answer.probabilities,
        features=row.features,
        latency_ms=latency_ms,
        customer_id=row.customer_id,
        feature_date=row.feature_date,
        reasons=[reason.as_dict() for reason in answer.reasons],
        compliance_flags=protected_features(answer.reasons),
        warnings=[warning.as_dict() for warning in row.warnings],
    )


def same_prediction(stored: Prediction, row: AskedRow) -> Prediction | RefusedError:
    """The prediction of a request that is repeated; a refusal if it is another request.

    The model that answered it may have taken other features than the one that serves by now:
    compared is what was given to both.
    """
    given = {**row.ignored, **row.features}
    shared = given.keys() & stored.features.keys()
    same = bool(shared) and all(given[name] == stored.features[name] for name in shared)
    return stored if same and stored.customer_id == row.customer_id else conflict()


def conflict() -> RefusedError:
    """The answer to another request with the same key."""
    return RefusedError(
        HTTPStatus.CONFLICT,
        "conflict",
        "Another customer was scored under this Idempotency-Key. Give each request a new one.",
    )
