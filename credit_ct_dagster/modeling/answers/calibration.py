"""Calibrated probabilities, and how well calibrated they are."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.folds import folds_by_customer

if TYPE_CHECKING:
    from sklearn.calibration import CalibratedClassifierCV

    from credit_ct_dagster.scorer.ordinal import Model

# CatBoost and scikit-learn take seconds to import; definitions import this module, and only fitting
# and measuring need them.

UNCALIBRATED = "none"
METHODS = [UNCALIBRATED, "sigmoid", "isotonic"]
FOLDS = 5
ECE_BINS = 10
_CURVE_BINS = 8


class CalibratedModel:
    """Scores and calibrated probabilities of prepared rows, by the libraries that fitted them.

    Packages of earlier releases were pickled with it, by value: they need its methods as they are.
    """

    def __init__(
        self,
        model: "Model",
        calibrated: "CalibratedClassifierCV | None",
        features: list[str],
    ) -> None:
        """Combine a model and its calibration.

        Args:
            model: The fitted model.
            calibrated: The same, calibrated; None leaves its scores, divided by their sum.
            features: The columns that the model takes, in its order.
        """
        self.model = model
        self.calibrated = calibrated
        self.features = features
        self.classes = [str(name) for name in model.classes_]

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The class per row, shape (rows,): the highest raw score, as CatBoost decides."""
        return self.model.predict(rows[self.features]).ravel().astype(str)

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """Raw one-vs-all scores in the order of `classes`, shape (rows, 3); their sum varies."""
        return self.model.predict_proba(rows[self.features])

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        """Calibrated probabilities in the order of `classes`, shape (rows, 3), summing to 1."""
        if self.calibrated is not None:
            return self.calibrated.predict_proba(rows[self.features])
        scores = self.scores(rows)
        return scores / scores.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Calibration:
    """A calibrated model, and why it is calibrated that way.

    Attributes:
        model: With its calibration.
        method: One of `METHODS`.
        log_losses: Per method, on validation rows that it was not fitted to, in nats; empty when
            there were too few rows to choose by.
    """

    model: CalibratedModel
    method: str
    log_losses: Mapping[str, float]


def calibrate(model: "Model", val: pd.DataFrame) -> Calibration:
    """Choose and fit the calibration of a model on validation rows.

    The method is the one with the lowest log-loss in cross-validation. Folds are by customer,
    because a calibration that saw a customer knows more of that customer's other months. Each class
    is calibrated by itself and the results are divided by their sum, as scikit-learn does for
    several classes (Zadrozny and Elkan 2002, "Transforming classifier scores into accurate
    multiclass probability estimates").

    A model that follows declared directions (`monotone: true`) is not calibrated: curves per class
    would let the class of some rows get better as a risk rises. Its log-losses are on record.

    Args:
        model: A fitted model.
        val: Prepared rows with labels, which it was not fitted to.
    """
    from credit_ct_dagster.modeling.answers.known_scores import calibrated_probabilities
    from credit_ct_dagster.scorer.ordinal import is_ordinal

    customers = val.groupby(schema.TARGET)[schema.CUSTOMER].nunique()
    if set(customers.index) != set(map(str, model.classes_)) or customers.min() < 2 * FOLDS:
        return Calibration(CalibratedModel(model, None, features_of(model)), UNCALIBRATED, {})
    truth = val[schema.TARGET]
    labels, classes = truth.to_numpy(dtype=str), [str(name) for name in model.classes_]
    scores = np.asarray(model.predict_proba(val[features_of(model)]), dtype=float)
    parts = list(folds_by_customer(labels, val[schema.CUSTOMER].to_numpy(dtype=str), FOLDS))

    def held_out_loss(method: str, fit: np.ndarray, test: np.ndarray) -> float:
        found = calibrated_probabilities(
            None if method == UNCALIBRATED else method,
            classes,
            scores[fit],
            labels[fit],
            scores[test],
        )
        return probability_log_loss(truth.iloc[test], aligned(found, classes))

    losses = {
        method: float(
            np.average(
                [held_out_loss(method, fit, test) for fit, test in parts],
                weights=[len(test) for _, test in parts],
            )
        )
        for method in METHODS
    }
    allowed = [UNCALIBRATED] if is_ordinal(model) else METHODS
    best = min(allowed, key=losses.__getitem__)
    return Calibration(fitted(model, best, val), best, losses)


def aligned(probabilities: np.ndarray, classes: list[str]) -> np.ndarray:
    """Columns in the order of `schema.CLASSES`; a class that the model does not know is 0.

    Args:
        probabilities: Shape (rows, classes).
        classes: What the columns are.
    """
    table = pd.DataFrame(probabilities, columns=classes)
    return table.reindex(columns=schema.CLASSES, fill_value=0.0).to_numpy()


def probability_log_loss(truth: pd.Series, probabilities: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability, in nats.

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.
    """
    from sklearn.metrics import log_loss

    return float(log_loss(truth, _alphabetical(probabilities), labels=sorted(schema.CLASSES)))


def brier_score(truth: pd.Series, probabilities: np.ndarray) -> float:
    """Mean squared error of probabilities, summed over the classes, 0 to 2 (Brier 1950).

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.
    """
    from sklearn.metrics import brier_score_loss

    return float(
        brier_score_loss(
            truth, _alphabetical(probabilities), labels=sorted(schema.CLASSES), scale_by_half=False
        )
    )


def expected_calibration_error(truth: pd.Series, probabilities: np.ndarray) -> float:
    """How far confidence lies from accuracy on average, 0 to 1.

    Rows fall into ten bins of equal width by the probability of the likeliest class (Guo et al.
    2017, "On Calibration of Modern Neural Networks", equation 3).

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.
    """
    confidence = probabilities.max(axis=1)
    right = np.array(schema.CLASSES)[probabilities.argmax(axis=1)] == truth.to_numpy(dtype=str)
    return _gap(right, confidence)


def perfect_calibration_errors(probabilities: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """What the expected calibration error is by chance alone, shape (draws,).

    The error of few rows is above 0 even if every probability is true (Bröcker and Smith 2007,
    "Increasing the Reliability of Reliability Diagrams"): labels are drawn from the
    probabilities themselves, which makes the model a perfect one.

    Args:
        probabilities: Shape (rows, 3), each row summing to 1.
        draws: How often labels are drawn.
        seed: Of the random generator.
    """
    confidence = probabilities.max(axis=1)
    rng = np.random.default_rng(seed)
    # Only whether the likeliest class is the true one enters the error.
    return np.array([_gap(rng.random(len(confidence)) < confidence, confidence)
                     for _ in range(draws)])  # fmt: skip


def _gap(right: np.ndarray, confidence: np.ndarray) -> float:
    """The error by whether the likeliest class is the true one, and its probability."""
    gaps = np.bincount(confidence_bins(confidence), right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each probability of a likeliest class, from 0 on, as the error counts them."""
    return np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)


def reliability_curve(
    truth: pd.Series, probabilities: np.ndarray
) -> dict[str, list[tuple[float, float]]]:
    """Per class, pairs of mean probability and observed share, over bins of equal counts.

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.
    """
    from sklearn.calibration import calibration_curve

    curves = {}
    for column, name in enumerate(schema.CLASSES):
        observed, mean = calibration_curve(
            truth.to_numpy(dtype=str) == name, probabilities[:, column], n_bins=_CURVE_BINS,
            strategy="quantile",
        )  # fmt: skip
        curves[name] = [(float(p), float(share)) for p, share in zip(mean, observed, strict=True)]
    return curves


def fitted(model: "Model", method: str, rows: pd.DataFrame) -> CalibratedModel:
    """Fit one calibration to a model that stays as it is.

    Args:
        model: A fitted model.
        method: One of `METHODS`.
        rows: Prepared rows with labels, which the model was not fitted to.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    calibrated, features = None, features_of(model)
    if method != UNCALIBRATED:
        # Two folds, the least allowed: the frozen model learns nothing in any of them.
        calibrated = CalibratedClassifierCV(FrozenEstimator(model), method=method, cv=2)
        calibrated.fit(rows[features], rows[schema.TARGET])
    return CalibratedModel(model, calibrated, features)


def transferred(model: CalibratedModel, refitted: "Model") -> CalibratedModel:
    """The calibration of one model on the scores of another.

    Args:
        model: Was calibrated on rows that it had not seen.
        refitted: The same, fitted again to these rows as well: what it says of them would tell
            nothing of others.
    """
    from sklearn.frozen import FrozenEstimator

    calibrated = model.calibrated
    if calibrated is not None:
        # Not a deep copy: CatBoost 1.2.10 crashes the process that loads a model saved from one.
        calibrated = copy(calibrated)
        [single] = map(copy, calibrated.calibrated_classifiers_)
        single.estimator = FrozenEstimator(refitted)
        calibrated.calibrated_classifiers_ = [single]
    return CalibratedModel(refitted, calibrated, features_of(refitted))


def features_of(model: "Model") -> list[str]:
    """The columns that a model was trained on, in its order: a bank may exclude some features."""
    return [str(name) for name in model.feature_names_]


def _alphabetical(probabilities: np.ndarray) -> np.ndarray:
    """Columns in the order that scikit-learn's scores take."""
    table = pd.DataFrame(probabilities, columns=schema.CLASSES)
    return table[sorted(schema.CLASSES)].to_numpy()
