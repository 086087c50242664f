"""Everything that a person wants to know of a model on rows it has not learned from."""

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.assessment import Assessment, ProbabilityQuality
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    brier_score,
    expected_calibration_error,
    probability_log_loss,
    reliability_curve,
)
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.slices import slices_of
from credit_ct_dagster.scorer.scorer import Scorer

_CONFIDENCE = 0.95
_DRAWS = 1000
_SEED = 0
_MIN_SLICE_ROWS = 30


def assess(scorer: Scorer, rows: pd.DataFrame) -> Assessment:
    """Measure a model.

    Args:
        scorer: The model.
        rows: Raw, labelled rows that it was not fitted to.
    """
    truth, scored = rows[schema.TARGET], scorer.score_rows(rows)
    counts = confusion.counts_per_customer(rows, scored.classes)
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
    return Assessment(
        rows=len(rows),
        customers=len(counts),
        metrics={
            name: confusion.estimate(value, of_draws, _CONFIDENCE)
            for name, (value, of_draws) in metrics.items()
        },
        confusion=total.tolist(),
        calibrated=quality_of(truth, scored.probabilities),
        raw=quality_of(truth, scored.scores / scored.scores.sum(axis=1, keepdims=True)),
        reliability=reliability_curve(truth, scored.probabilities),
        slices=slices_of(rows, scored.classes, _MIN_SLICE_ROWS),
    )


def quality_of(truth: pd.Series, probabilities: np.ndarray) -> ProbabilityQuality:
    """Measure probabilities.

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.
    """
    return ProbabilityQuality(
        log_loss=probability_log_loss(truth, probabilities),
        brier=brier_score(truth, probabilities),
        ece=expected_calibration_error(truth, probabilities),
    )
