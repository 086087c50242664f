"""One candidate: CatBoost's form of the rows, and its fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from catboost import CatBoostClassifier, Pool

from credit_ct_dagster.modeling import schema

TEXT_PROCESSING = {
    "tokenizers": [
        {"tokenizer_id": name, "separator_type": "ByDelimiter", "delimiter": delimiter}
        for name, delimiter in (("Space", " "), ("Comma", ","), ("Underscore", "_"))
    ],
    "dictionaries": [
        {"dictionary_id": name, "occurence_lower_bound": "1"} for name in ("BiGram", "Word")
    ],
}
"""How CatBoost splits the text features into words and pairs of words."""


class FitCallback(Protocol):
    """What CatBoost calls during a fit."""

    def after_iteration(self, info: Any) -> bool:
        """Inspect the tree just built; returns whether to build another."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """What candidates are fitted to and measured on; all fits of a process share it.

    Attributes:
        train: Rows to fit.
        val: Rows to stop early on.
        val_rows: The same rows as a frame, to measure on.
    """

    train: Pool
    val: Pool
    val_rows: pd.DataFrame

    @classmethod
    def of(cls, train: pd.DataFrame, val: pd.DataFrame) -> "TrainingData":
        """Bring prepared rows into CatBoost's form."""
        return cls(pool_of(train), pool_of(val), val)


def pool_of(rows: pd.DataFrame) -> Pool:
    """CatBoost's form of prepared, labelled rows."""
    return Pool(
        rows[schema.FEATURES],
        label=rows[schema.TARGET],
        cat_features=schema.CATEGORICAL,
        text_features=schema.TEXT,
    )


def fit(
    data: TrainingData,
    params: Mapping[str, Any],
    early_stopping_rounds: int,
    thread_count: int,
    callbacks: Sequence[FitCallback] = (),
) -> CatBoostClassifier:
    """Fit one candidate; the model keeps the trees up to its lowest validation loss.

    The number of threads changes how long it takes, not the result.
    """
    model = CatBoostClassifier(
        **params,
        thread_count=thread_count,
        text_processing=TEXT_PROCESSING,
        allow_writing_files=False,
        verbose=False,
    )
    return model.fit(
        data.train,
        eval_set=data.val,
        early_stopping_rounds=early_stopping_rounds,
        callbacks=list(callbacks) or None,
    )
