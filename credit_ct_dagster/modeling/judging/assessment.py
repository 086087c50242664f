"""Everything that a person wants to know of a model on rows it has not learned from."""

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.assessment import (
    Assessment,
    ProbabilityQuality,
    RuleEffect,
    RuleMetrics,
)
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    brier_score,
    expected_calibration_error,
    perfect_calibration_errors,
    probability_log_loss,
    reliability_curve,
)
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.scorer.scorer import Scored, Scorer

_CONFIDENCE = 0.95
_DRAWS = 1000
_PERFECT_DRAWS = 200
_SEED = 0


def assess(scorer: Scorer, rows: pd.DataFrame, utility: Utility | None = None) -> Assessment:
    """Measure a model.

    Args:
        scorer: The model.
        rows: Raw, labelled rows that it was not fitted to.
        utility: What the bank wants of a class: an expected cost is among the metrics if declared.
    """
    truth, scored = rows[schema.TARGET], scorer.score_rows(rows)
    counts = confusion.counts_per_customer(rows, scored.classes)
    total, drawn = counts.sum(axis=0), confusion.resampled(counts, _DRAWS, _SEED)
    metrics = {
        name: confusion.estimate(float(value), of_draws, _CONFIDENCE)
        for (name, value), of_draws in zip(
            _metrics(total, utility).items(), _metrics(drawn, utility).values(), strict=True
        )
    }
    perfect = perfect_calibration_errors(scored.probabilities, _PERFECT_DRAWS, _SEED)
    return Assessment(
        rows=len(rows),
        customers=len(counts),
        metrics=metrics,
        confusion=total.tolist(),
        calibrated=quality_of(truth, scored.probabilities),
        raw=quality_of(truth, scored.scores / scored.scores.sum(axis=1, keepdims=True)),
        reliability=reliability_curve(truth, scored.probabilities),
        perfect_ece=confusion.estimate(perfect.mean(), perfect, _CONFIDENCE),
        rule=rule_effect(scorer.class_rule.rule, truth, scored, utility),
    )


def rule_effect(
    rule: str, truth: pd.Series, scored: Scored, utility: Utility | None = None
) -> RuleEffect:
    """Compare the classes of a package with those of its highest raw scores.

    Args:
        rule: Of the package.
        truth: True classes.
        scored: What the package says of the same rows.
        utility: What the bank wants of a class: expected costs are compared if declared.
    """
    number = {name: place for place, name in enumerate(schema.CLASSES)}
    true = truth.map(number).to_numpy()
    highest = scored.scores.argmax(axis=1)
    ours = pd.Series(scored.classes).map(number).to_numpy()
    return RuleEffect(
        rule=rule,
        rows=len(true),
        changed=int((highest != ours).sum()),
        highest_score=_rule_metrics(_crossed(true, highest), utility),
        package=_rule_metrics(_crossed(true, ours), utility),
        moved=_crossed(highest, ours).tolist(),
    )


def _crossed(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Counts of pairs of class numbers, shape (3, 3)."""
    counts = np.zeros((len(schema.CLASSES), len(schema.CLASSES)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def _rule_metrics(counts: np.ndarray, utility: Utility | None) -> RuleMetrics:
    found = zip(schema.CLASSES, confusion.recall(counts), strict=True)
    costs = utility.costs if utility and utility.metric == Metric.expected_cost else None
    return RuleMetrics(
        accuracy=float(confusion.accuracy(counts)),
        macro_f1=float(confusion.macro_f1(counts)),
        recall={name: None if np.isnan(value) else float(value) for name, value in found},
        predicted=dict(zip(schema.CLASSES, counts.sum(axis=0).tolist(), strict=True)),
        expected_cost=None
        if costs is None
        else float(confusion.expected_cost(counts, np.array(costs))),
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


def _metrics(counts: np.ndarray, utility: Utility | None) -> dict[str, np.ndarray]:
    """Every metric of confusion counts, each of shape (…); the recall of an absent class is 0."""
    recall = np.nan_to_num(confusion.recall(counts))
    metrics = {"accuracy": confusion.accuracy(counts), "macro_f1": confusion.macro_f1(counts)} | {
        f"recall_{name.lower()}": recall[..., place] for place, name in enumerate(schema.CLASSES)
    }
    if utility and utility.metric == Metric.expected_cost:
        metrics["expected_cost"] = confusion.expected_cost(counts, np.array(utility.costs))
    return metrics
