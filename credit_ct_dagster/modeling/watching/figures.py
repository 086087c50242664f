"""Every figure of labelled answers as a function of sums, so that a draw is a sum of sums."""

import numpy as np

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import Metrics
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import ECE_BINS, confidence_bins
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.probability_guard import loss_per_row
from credit_ct_dagster.modeling.watching.answers import Answers, Draws, estimate
from credit_ct_dagster.modeling.watching.columns import LABEL

_CLASSES = len(schema.CLASSES)
_CELLS = _CLASSES**2


def sums_of(labelled: Answers, draws: Draws, group: np.ndarray, groups: int) -> np.ndarray:
    """What all metrics follow from, per thing that is drawn and group.

    Args:
        labelled: Answers with a label.
        draws: Of their customers.
        group: The number of each answer's group, shape (answers,).
        groups: How many there are.

    Returns:
        Shape (size, groups, 20): the confusion counts, the sum of the log-losses, and per bin of
        confidence how many more likeliest classes are right than was expected.
    """
    cell = labelled.true * _CLASSES + labelled.predicted
    loss = loss_per_row(labelled.frame[LABEL].astype(object), labelled.probabilities)
    confidence = labelled.probabilities.max(axis=1)
    right = labelled.probabilities.argmax(axis=1) == labelled.true
    parts = [
        (draws.sums(group * _CELLS + cell, groups * _CELLS), _CELLS),
        (draws.sums(group, groups, loss), 1),
        (
            draws.sums(
                group * ECE_BINS + confidence_bins(confidence),
                groups * ECE_BINS,
                right - confidence,
            ),
            ECE_BINS,
        ),
    ]
    return np.concatenate(
        [sums.reshape(draws.size, groups, width) for sums, width in parts], axis=-1
    )


def errors_by_chance(labelled: Answers, group: np.ndarray, groups: int) -> np.ndarray:
    """The mean expected calibration error of a perfect model, shape (groups,); 0 without answers.

    In each bin, the number of right classes varies about its mean as a normal variable does, whose
    mean absolute value is its standard deviation times the square root of 2 / pi. Answers count as
    independent.

    Args:
        labelled: Answers with a label.
        group: The number of each answer's group, shape (answers,).
        groups: How many there are.
    """
    confidence = labelled.probabilities.max(axis=1)
    variance = np.bincount(
        group * ECE_BINS + confidence_bins(confidence),
        confidence * (1 - confidence),
        minlength=groups * ECE_BINS,
    )
    gaps = np.sqrt(2 / np.pi * variance).reshape(groups, ECE_BINS).sum(axis=1)
    return gaps / np.maximum(np.bincount(group, minlength=groups), 1)


def counts_of(sums: np.ndarray) -> np.ndarray:
    """The confusion counts among sums of `sums_of`: of shape (…, 20), shape (…, 3, 3)."""
    return sums[..., :_CELLS].reshape(*sums.shape[:-1], _CLASSES, _CLASSES)


def metrics_of(total: np.ndarray, drawn: np.ndarray, by_chance: float) -> Metrics:
    """Every metric with its interval.

    Args:
        total: Sums as those of `sums_of`, shape (20,).
        drawn: The same of each draw, shape (draws, 20).
        by_chance: See `errors_by_chance`.
    """
    counts, drawn_counts = counts_of(total), counts_of(drawn)
    rows, drawn_rows = counts.sum(), np.maximum(drawn_counts.sum(axis=(-2, -1)), 1)
    recall, drawn_recall = confusion.recall(counts), confusion.recall(drawn_counts)
    return Metrics(
        accuracy=estimate(float(confusion.accuracy(counts)), confusion.accuracy(drawn_counts)),
        macro_f1=estimate(float(confusion.macro_f1(counts)), confusion.macro_f1(drawn_counts)),
        recall={
            name: None
            if np.isnan(recall[place])
            else estimate(float(recall[place]), drawn_recall[:, place])
            for place, name in enumerate(schema.CLASSES)
        },
        log_loss=estimate(total[_CELLS] / rows, drawn[:, _CELLS] / drawn_rows),
        ece=_mirrored(
            np.abs(total[_CELLS + 1 :]).sum() / rows,
            np.abs(drawn[:, _CELLS + 1 :]).sum(axis=1) / drawn_rows,
        ),
        ece_by_chance=float(by_chance),
    )


def _mirrored(value: float, drawn: np.ndarray) -> Estimate:
    """An error that is too high by chance, and in draws once more so, with its interval.

    The basic bootstrap (Davison and Hinkley 1997, "Bootstrap Methods and their Application",
    section 5.2): what draws add to the value is taken away from it.
    """
    found = estimate(value, drawn)
    low, high = (max(0.0, 2 * found.value - end) for end in (found.high, found.low))
    return Estimate(value=found.value, low=min(found.value, low), high=max(found.value, high))


def accuracy_of_all(counts: np.ndarray, drawn: np.ndarray, shares: np.ndarray) -> Estimate | None:
    """The accuracy with the shares of the predicted classes among all answers.

    Direct standardization: labels come more often for some predicted classes than for others.

    Args:
        counts: Confusion counts of the labelled answers.
        drawn: The same of each draw, shape (draws, 3, 3).
        shares: Of the predicted classes among all answers, shape (3,).

    Returns:
        None if no answer of some predicted class has a label.
    """
    given = shares > 0

    def standardized(counts: np.ndarray) -> np.ndarray:
        right = np.diagonal(counts, axis1=-2, axis2=-1)[..., given]
        predicted = counts.sum(axis=-2)[..., given].astype(float)
        precision = np.divide(
            right, predicted, out=np.full(predicted.shape, np.nan), where=predicted > 0
        )
        return precision @ shares[given]

    value = float(standardized(counts))
    return None if np.isnan(value) else estimate(value, standardized(drawn))
