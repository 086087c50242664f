"""One candidate: CatBoost's form of the rows, and its fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from catboost import CatBoostClassifier, CatBoostError, Pool

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


_NO_WORDS = "Dictionary size is 0"
"""CatBoost's message, which does not name the text feature."""


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
        train_texts: The texts of the rows to fit, to name the one that CatBoost refuses.
    """

    train: Pool
    val: Pool
    val_rows: pd.DataFrame
    train_texts: pd.DataFrame

    @classmethod
    def of(cls, train: pd.DataFrame, val: pd.DataFrame) -> "TrainingData":
        """Bring prepared rows into CatBoost's form."""
        return cls(pool_of(train), pool_of(val), val, train[schema.TEXT])


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
    try:
        return model.fit(
            data.train,
            eval_set=data.val,
            early_stopping_rounds=early_stopping_rounds,
            callbacks=list(callbacks) or None,
        )
    except CatBoostError as error:
        if _NO_WORDS not in str(error):
            raise
        raise CatBoostError(f"{_too_rare(data.train_texts)} ({error})") from error


def _too_rare(texts: pd.DataFrame) -> str:
    """The text features whose words are too rare for a dictionary, with their most frequent one.

    It counts as the tokenizers split, and does not quote the word: it may be a person's.
    """
    delimiters = [tokenizer["delimiter"] for tokenizer in TEXT_PROCESSING["tokenizers"]]
    counts = {
        name: max(
            int(
                texts[name]
                .str.split(delimiter)
                .explode()
                .value_counts()
                .drop("", errors="ignore")
                .max()
            )
            for delimiter in delimiters
        )
        for name in texts
    }
    rarest = min(counts.values())
    named = " and ".join(name for name, count in counts.items() if count == rarest)
    return (
        f"{named} has no word that occurs often enough: the most frequent one occurs in {rarest:,}"
        f" of {len(texts):,} training rows. Correct the column in the source table"
    )
