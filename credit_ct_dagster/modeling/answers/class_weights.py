"""Which class an answer gives, chosen for the declared utility on the validation rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.utility import Metric, RuleData, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import FOLDS, UNCALIBRATED, Calibration, aligned
from credit_ct_dagster.modeling.answers.folds import folds_by_customer
from credit_ct_dagster.modeling.answers.known_scores import calibrated_probabilities
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.evidence import compare
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, HIGHEST_SCORE

EVEN, START, TUNED = "even", "start", "tuned"
"""Weights of the classes that are compared: see `choose_rule`."""

_BOOTSTRAP = GateRules(confidence=0.9, draws=1000, seed=0)
"""One-sided, 95 %: the interval that is asked for has two ends."""

_STEPS = 8
_OCTAVES = 2
_FACTORS = np.array(
    [
        2 ** (step / _STEPS)
        for step in sorted(range(-_OCTAVES * _STEPS, _OCTAVES * _STEPS + 1), key=abs)
    ]
)
"""By which a weight is multiplied: a quarter to four times, those near 1 first."""
_MOST_PREDICTED = 500_000
"""Classes that are in memory together while weights are tried."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class ChosenRule:
    """How the class follows from scores and probabilities, and why.

    Attributes:
        data: For the package.
        weights: Which weights of the classes were chosen: one of `EVEN`, `START` and `TUNED`; empty
            where the utility has none.
        macro_f1: Per candidate, and of the highest raw score, on validation rows of customers that
            neither the calibration nor the weights were fitted to; empty where there was nothing to
            choose, or too few customers to choose by.
    """

    data: RuleData
    weights: str = ""
    macro_f1: Mapping[str, float] = field(default_factory=dict)


def choose_rule(
    calibration: Calibration,
    val: pd.DataFrame,
    labels: Mapping[str, int],
    utility: Utility | None,
) -> ChosenRule:
    """Choose the rule that serves a utility.

    For accuracy, the most probable class is right most often. For expected costs, it is the class
    of the least expected cost (Elkan 2001, "The Foundations of Cost-Sensitive Learning", equation
    1). Macro-F1 is no mean over rows, so no cost per row is exact; but the classes that maximise
    it are the highest of weighted probabilities (Koyejo et al. 2015, "Consistent Multilabel
    Classification", for thresholds; Narasimhan et al. 2015, "Consistent Multiclass Algorithms for
    Complex Performance Measures", for weights). Three sets of weights are compared by
    cross-validation over customers: all 1; 1/√share of the training labels, the start; and those
    that coordinate ascent reaches from there. Within each fold, the calibration and the tuned
    weights are fitted to the other customers' rows. The start is left only for weights that are
    better beyond doubt, by a paired bootstrap over customers: of three that are about as good, the
    highest score is that of the luckiest (docs/decisions/0020-one-utility.md).

    Args:
        calibration: A model that has not seen the validation rows, with its calibration.
        val: Prepared validation rows with labels, which the calibration was fitted to.
        labels: Training rows per class.
        utility: What the bank wants of a class; None: the highest raw score.
    """
    if utility is None:
        return ChosenRule(RuleData(rule=HIGHEST_SCORE))
    if utility.metric == Metric.accuracy:
        return ChosenRule(_diagonal(np.ones(len(schema.CLASSES))))
    if utility.metric == Metric.expected_cost:
        gains = [[-float(cost) for cost in row] for row in utility.costs]
        return ChosenRule(RuleData(rule=EXPECTED_UTILITY, gains=gains))
    start = start_weights(labels)
    if calibration.method == UNCALIBRATED and not calibration.log_losses:  # too few customers
        return ChosenRule(_diagonal(start), START)
    rows = _ScoredRows.of(calibration, val)
    predicted = _cross_validated(rows, start)
    macro_f1 = {name: float(_of_classes(rows.truth, of)) for name, of in predicted.items()}
    better = [name for name in (TUNED, EVEN) if _is_better(val, predicted[name], predicted[START])]
    best = max(better, key=macro_f1.__getitem__, default=START)
    weights = {EVEN: np.ones(len(start)), START: start}
    if best == TUNED:
        shares = rows.held_out(FOLDS, np.arange(len(val)))
        weights[TUNED] = tuned_weights(shares, rows.truth, start)
    return ChosenRule(_diagonal(weights[best]), best, macro_f1)


def start_weights(labels: Mapping[str, int]) -> Array:
    """1/√share of each class, shape (3,), that of the most frequent one being 1.

    Args:
        labels: Rows per class; a class without any weighs as if it had one.
    """
    counts = np.array([max(labels.get(name, 0), 1) for name in schema.CLASSES], dtype=float)
    return np.sqrt(counts.max() / counts)


def tuned_weights(probabilities: Array, truth: Array, start: Array) -> Array:
    """Weights of the classes with a macro-F1 that no step of one of them improves.

    Coordinate ascent over a grid: with weights that are only as fine as the rows can tell apart,
    the result depends less on single rows than with exact thresholds.

    Args:
        probabilities: Shape (rows, 3).
        truth: Numbers of the true classes, shape (rows,).
        start: Where the ascent begins, shape (3,); of equally good weights, the nearest are taken.
    """
    best = start.astype(float)
    value = _of_classes(truth, (probabilities * best).argmax(axis=1))
    improved = True
    while improved:
        improved = False
        for place in range(len(start)):
            tried = start[place] * _FACTORS
            reached = _of_weights(probabilities, truth, best, place, tried)
            if reached.max() > value:
                best[place], value = tried[reached.argmax()], reached.max()
                improved = True
    return best


def _of_weights(
    probabilities: Array, truth: Array, weights: Array, place: int, tried: Array
) -> Array:
    """The macro-F1 for each of several weights of one class, those of the others staying."""
    worth = probabilities * weights
    worth[:, place] = -np.inf
    rival, most = worth.argmax(axis=1), worth.max(axis=1)
    reached = []
    at_once = max(1, _MOST_PREDICTED // len(truth))
    for start in range(0, len(tried), at_once):
        ours = tried[start : start + at_once, np.newaxis] * probabilities[:, place]
        # Of equals the first class, as in an answer.
        wins = (ours > most) | ((ours == most) & (place < rival))
        reached.append(_of_classes(truth, np.where(wins, place, rival)))
    return np.concatenate(reached)


@dataclass(frozen=True)
class _ScoredRows:
    """Validation rows, with what the model says of them.

    Attributes:
        method: How scores are calibrated.
        classes: Of the model, in its order.
        scores: Raw, in that order, shape (rows, 3).
        truth: Numbers of the true classes, in the order of `schema.CLASSES`.
        customers: Of the rows.
    """

    method: str
    classes: list[str]
    scores: Array
    truth: Array
    customers: "np.ndarray[Any, Any]"

    @classmethod
    def of(cls, calibration: Calibration, val: pd.DataFrame) -> "_ScoredRows":
        model = calibration.model
        return cls(
            method=calibration.method,
            classes=model.classes,
            scores=np.asarray(model.scores(val), dtype=float),
            truth=val[schema.TARGET].map(schema.CLASSES.index).to_numpy(),
            customers=val[schema.CUSTOMER].to_numpy(),
        )

    def folds(self, number: int, among: Array) -> "Iterator[tuple[Array, Array]]":
        """Places of rows to fit and to test, among given places; no customer is in both."""
        labels = np.array(schema.CLASSES)[self.truth]
        for fit, test in folds_by_customer(labels[among], self.customers[among], number):
            yield among[fit], among[test]

    def probabilities(self, fit: Array, of: Array) -> Array:
        """Calibrated probabilities of rows, by a calibration that is fitted to other ones."""
        labels = np.array(schema.CLASSES)[self.truth[fit]]
        method = None if self.method == UNCALIBRATED else self.method
        found = calibrated_probabilities(
            method, self.classes, self.scores[fit], labels, self.scores[of]
        )
        return aligned(found, self.classes)

    def held_out(self, number: int, among: Array) -> Array:
        """Probabilities of given rows, each by a calibration that has not seen its customer."""
        found = np.empty((len(self.truth), len(schema.CLASSES)))
        for fit, test in self.folds(number, among):
            found[test] = self.probabilities(fit, test)
        return found[among]

    def highest_scores(self) -> Array:
        """The class of the highest raw score, as its number."""
        return aligned(self.scores, self.classes).argmax(axis=1)


def _cross_validated(rows: _ScoredRows, start: Array) -> "dict[str, Array]":
    """The class number of each row, per candidate and by the highest score.

    Those of all folds are judged together: the macro-F1 of a fold with a handful of rows of a class
    is biased.
    """
    everywhere, even = np.arange(len(rows.truth)), np.ones(len(schema.CLASSES))
    predicted = {name: np.empty(len(everywhere), dtype=int) for name in (START, TUNED, EVEN)}
    for fit, test in rows.folds(FOLDS, everywhere):
        probabilities = rows.probabilities(fit, test)
        # A calibration is surer of the rows that it was fitted to than of others.
        of_fit = rows.held_out(FOLDS - 1, fit)
        tuned = tuned_weights(of_fit, rows.truth[fit], start)
        for name, weights in ((EVEN, even), (START, start), (TUNED, tuned)):
            predicted[name][test] = (probabilities * weights).argmax(axis=1)
    return {HIGHEST_SCORE: rows.highest_scores(), **predicted}


def _is_better(val: pd.DataFrame, ours: Array, theirs: Array) -> bool:
    """Whether classes have a higher macro-F1 than others, whichever customers there had been."""
    names = np.array(schema.CLASSES)
    return compare(val, names[ours], names[theirs], Utility(), _BOOTSTRAP).difference.low > 0


def _of_classes(truth: Array, predicted: Array) -> Array:
    """The macro-F1 of class numbers, shape (…) for predictions of shape (…, rows)."""
    number = len(schema.CLASSES)
    several = np.atleast_2d(predicted)
    cells = number * number
    offset = cells * np.arange(len(several))[:, np.newaxis]
    counts = np.bincount(
        (offset + truth * number + several).ravel(), minlength=cells * len(several)
    ).reshape(-1, number, number)
    return confusion.macro_f1(counts).reshape(predicted.shape[:-1])


def _diagonal(weights: Array) -> RuleData:
    """What it is worth to be right, per class; to be wrong is worth nothing."""
    return RuleData(rule=EXPECTED_UTILITY, gains=np.diag(weights).tolist())
