"""Simple predictions that a useful model must beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# scikit-learn takes a second to import; definitions import this module, and only a fit needs it.

_LEAVES = 6
_LEAF_ROWS = 20
_DRAWS = 1000
_SEED = 0


@dataclass(frozen=True)
class Baseline:
    """A simple way to predict, measured on the same rows as a model.

    Attributes:
        name: How it predicts.
        accuracy: Of the baseline, on the holdout.
        gain: How much more accurate the model is, with a 95 % interval.
    """

    name: str
    accuracy: float
    gain: Estimate


def compare_with_baselines(
    train: pd.DataFrame,
    val: pd.DataFrame,
    holdout: pd.DataFrame,
    predicted: np.ndarray,
    features: Sequence[str],
) -> list[Baseline]:
    """Measure a model against the majority class and against the best single feature.

    Args:
        train: Prepared rows that the baselines are fitted to.
        val: Prepared rows by which the single feature is chosen.
        holdout: Prepared rows that everything is measured on.
        predicted: The model's classes of the holdout, shape (rows,).
        features: What the model is trained on; no baseline uses a feature that it may not use.
    """
    from sklearn.dummy import DummyClassifier

    # Numbers in the order of the names: scikit-learn sorts labels several times per fit, and a
    # million words take twenty times as long as numbers.
    names = np.array(sorted(schema.CLASSES))
    number = {name: place for place, name in enumerate(names)}
    of_train, of_val = (rows[schema.TARGET].map(number).to_numpy() for rows in (train, val))
    majority = DummyClassifier(strategy="most_frequent").fit(train, of_train)
    trees = {
        name: _tree(name).fit(train[[name]], of_train)
        for name in features
        if name not in schema.TEXT
    }
    best = max(trees, key=lambda name: trees[name].score(val[[name]], of_val))
    return [
        _compared("the majority class", names[majority.predict(holdout)], holdout, predicted),
        _compared(f"{best} alone", names[trees[best].predict(holdout[[best]])], holdout, predicted),
    ]


def _tree(name: str) -> "Pipeline":
    """A small tree of one feature."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_leaf_nodes=_LEAVES, min_samples_leaf=_LEAF_ROWS, random_state=_SEED
    )
    words = "passthrough" if name in schema.NUMERIC else OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(words, tree)


def _compared(
    name: str, baseline: np.ndarray, holdout: pd.DataFrame, predicted: np.ndarray
) -> Baseline:
    counts = np.stack(
        [confusion.counts_per_customer(holdout, each) for each in (predicted, baseline)], axis=1
    )
    drawn = confusion.accuracy(confusion.resampled(counts, _DRAWS, _SEED))
    model, simple = confusion.accuracy(counts.sum(axis=0))
    gain = confusion.estimate(model - simple, drawn[:, 0] - drawn[:, 1], confidence=0.95)
    return Baseline(name, float(simple), gain)
