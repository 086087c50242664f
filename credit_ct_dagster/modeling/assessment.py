"""Everything that a person wants to know of a model on rows it has not learned from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import confusion, schema
from credit_ct_dagster.modeling.calibration import (
    CalibratedModel,
    aligned,
    brier_score,
    expected_calibration_error,
    probability_log_loss,
    reliability_curve,
)
from credit_ct_dagster.modeling.confusion import Estimate
from credit_ct_dagster.modeling.evaluation import predict_proba
from credit_ct_dagster.modeling.slices import Slice, slices_of

_CONFIDENCE = 0.95
_DRAWS = 1000
_SEED = 0
_MIN_SLICE_ROWS = 30


@dataclass(frozen=True)
class ProbabilityQuality:
    """How far probabilities can be taken at their word; lower is better.

    Attributes:
        log_loss: In nats.
        brier: 0 to 2.
        ece: Expected calibration error, 0 to 1.
    """

    log_loss: float
    brier: float
    ece: float

    @classmethod
    def of(cls, truth: pd.Series, probabilities: np.ndarray) -> "ProbabilityQuality":
        """Measure probabilities, shape (rows, 3), in the order of `schema.CLASSES`."""
        return cls(
            probability_log_loss(truth, probabilities),
            brier_score(truth, probabilities),
            expected_calibration_error(truth, probabilities),
        )


@dataclass(frozen=True)
class Assessment:
    """A model on one split.

    Attributes:
        rows: How many.
        customers: Of how many customers.
        metrics: With 95 % intervals: `accuracy`, `macro_f1`, and `recall_poor` and so on.
        confusion: Counts, rows true and columns predicted, as `schema.CLASSES`.
        calibrated: Of the calibrated probabilities.
        raw: Of the raw scores, divided by their sum.
        reliability: Per class, pairs of mean calibrated probability and observed share.
        slices: Per age band and occupation.
    """

    rows: int
    customers: int
    metrics: Mapping[str, Estimate]
    confusion: list[list[int]]
    calibrated: ProbabilityQuality
    raw: ProbabilityQuality
    reliability: Mapping[str, list[tuple[float, float]]]
    slices: list[Slice]

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def assess(model: CalibratedModel, prepared: pd.DataFrame, raw: pd.DataFrame) -> Assessment:
    """Measure a model.

    Args:
        model: Takes prepared rows.
        prepared: Labelled rows that it was not fitted to.
        raw: The same rows before they were prepared, for the slices.
    """
    truth, predicted = prepared[schema.TARGET], model.predict(prepared)
    counts = confusion.counts_per_customer(prepared, predicted)
    total, drawn = counts.sum(axis=0), confusion.resampled(counts, _DRAWS, _SEED)
    metrics = {
        "accuracy": (confusion.accuracy(total), confusion.accuracy(drawn)),
        "macro_f1": (confusion.macro_f1(total), confusion.macro_f1(drawn)),
    } | {
        f"recall_{name.lower()}": (
            np.nan_to_num(confusion.recall(total))[place],
            np.nan_to_num(confusion.recall(drawn))[:, place],
        )
        for place, name in enumerate(schema.CLASSES)
    }
    probabilities = aligned(model.predict_proba(prepared), model.classes)
    return Assessment(
        rows=len(prepared),
        customers=len(counts),
        metrics={
            name: confusion.estimate(value, of_draws, _CONFIDENCE)
            for name, (value, of_draws) in metrics.items()
        },
        confusion=total.tolist(),
        calibrated=ProbabilityQuality.of(truth, probabilities),
        raw=ProbabilityQuality.of(
            truth, aligned(predict_proba(model.model, prepared), model.classes)
        ),
        reliability=reliability_curve(truth, probabilities),
        slices=slices_of(raw, predicted, _MIN_SLICE_ROWS),
    )
