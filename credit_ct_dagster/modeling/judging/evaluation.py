"""How good a model is on rows it was not fitted to."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import aligned, probability_log_loss

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.ordinal import Model
    from credit_ct_dagster.scorer.scorer import Scorer

# CatBoost and scikit-learn take seconds to import; definitions import this module, and only
# measuring needs them.

_MOST_ROWS = 500


def predict(model: "Model", features: pd.DataFrame) -> np.ndarray:
    """Classes of prepared rows, shape (rows,)."""
    return model.predict(features[model.feature_names_]).ravel().astype(str)


def predict_proba(model: "Model", features: pd.DataFrame) -> np.ndarray:
    """Probabilities per class in the model's order, shape (rows, classes), each row summing to 1.

    MultiClassOneVsAll fits one logistic model per class, whose outputs do not sum to 1; they are
    divided by their sum (Zadrozny and Elkan 2002, "Transforming classifier scores into accurate
    multiclass probability estimates", section 4).
    """
    scores = model.predict_proba(features[model.feature_names_])
    return scores / scores.sum(axis=1, keepdims=True)


def evaluate(model: "Model", rows: pd.DataFrame) -> dict[str, float]:
    """Measure a model on prepared rows with their labels, by the class of the highest raw score.

    Returns:
        See `metrics_of`.
    """
    # A class that no training row had gets probability 0, which log_loss clips.
    probabilities = aligned(predict_proba(model, rows), [str(name) for name in model.classes_])
    return metrics_of(rows, predict(model, rows), probabilities)


def metrics_of(
    rows: pd.DataFrame, predicted: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Measure classes and probabilities, however they were chosen.

    Args:
        rows: With their labels.
        predicted: A class per row, shape (rows,).
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`.

    Returns:
        `accuracy`, `macro_f1`, `f1_poor`, `f1_standard`, `f1_good`, and `log_loss` in nats. A class
        that is neither present nor predicted has an F1 of 0.
    """
    from sklearn.metrics import accuracy_score, f1_score

    truth = rows[schema.TARGET].to_numpy(dtype=str)
    f1 = f1_score(truth, predicted, labels=schema.CLASSES, average=None, zero_division=0)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1.mean()),
        **{
            f"f1_{name.lower()}": float(value)
            for name, value in zip(schema.CLASSES, f1, strict=True)
        },
        "log_loss": probability_log_loss(rows[schema.TARGET], probabilities),
    }


def confusion(model: "Model", rows: pd.DataFrame) -> np.ndarray:
    """Counts, shape (3, 3): rows are true classes, columns predicted ones, as `schema.CLASSES`."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(rows[schema.TARGET], predict(model, rows), labels=schema.CLASSES)


def mean_contributions(scorer: "Scorer", rows: pd.DataFrame) -> dict[str, float]:
    """How much each feature moves the margins between neighbouring classes, highest first.

    Args:
        scorer: The model.
        rows: Raw rows, of which at most 500 are looked at.

    Returns:
        The mean absolute contribution per feature, in log-odds, over rows and margins; empty for a
        package of an earlier release, which does not know its typical customers.
    """
    if not scorer.explains:
        return {}
    few = rows.sample(min(len(rows), _MOST_ROWS), random_state=0)
    margins = range(len(scorer.classes) - 1)
    moved = np.abs([scorer.contributions(few, number) for number in margins]).mean(axis=(0, 1))
    named = dict(zip(scorer.columns, map(float, moved), strict=True))
    return dict(sorted(named.items(), key=lambda item: -item[1]))


def feature_importances(model: "Model") -> dict[str, float]:
    """CatBoost's PredictionValuesChange per feature, in percent, highest first."""
    values = dict(
        zip(model.feature_names_, map(float, model.get_feature_importance()), strict=True)
    )
    return dict(sorted(values.items(), key=lambda item: -item[1]))
