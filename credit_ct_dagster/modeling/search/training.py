"""One candidate: CatBoost's form of the rows, and its fit."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from catboost import CatBoostClassifier, CatBoostError, Pool

from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.encoding import ModelColumns
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.scorer.encoded import EncodedClassifier
from credit_ct_dagster.scorer.ordinal import Model, OrdinalClassifier

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
class Part:
    """What one CatBoost model is fitted to.

    Attributes:
        train: Rows to fit.
        val: Rows to stop early on; None fits all trees.
    """

    train: Pool
    val: Pool | None = None


@dataclass(frozen=True)
class TrainingData:
    """What candidates are fitted to and measured on; all fits of a process share it.

    Attributes:
        parts: What each CatBoost model of a candidate is fitted to: one of all classes, or one per
            pair of neighbouring classes.
        val_rows: The rows to stop early on as a frame, to measure on.
        train_texts: What CatBoost splits into words in the rows to fit, to name the text that it
            refuses.
        columns: What CatBoost is given of the rows.
        monotone: Whether each pair of neighbouring classes has a model of its own, which follows
            the directions that the schema declares.
    """

    parts: Sequence[Part]
    val_rows: pd.DataFrame
    train_texts: pd.DataFrame
    columns: ModelColumns
    monotone: bool

    @classmethod
    def of(
        cls,
        train: pd.DataFrame,
        val: pd.DataFrame,
        features: Sequence[str],
        *,
        text: Text,
        monotone: bool = False,
    ) -> "TrainingData":
        """Bring prepared rows into CatBoost's form.

        Args:
            train: Rows to fit.
            val: Rows to stop early on.
            features: What to train on, in the order of the schema.
            text: How the model takes texts.
            monotone: Whether the model follows the directions that the schema declares.

        Raises:
            UnusableRowsError: It should, but the rows lack a class.
        """
        columns = ModelColumns.of(train, features, text)
        parts = [
            Part(_quantised(to_fit, columns), to_stop_on)
            for to_fit, to_stop_on in zip(
                pools_of(train, columns, monotone=monotone),
                pools_of(val, columns, monotone=monotone),
                strict=True,
            )
        ]
        return cls(parts, val, train[list(columns.texts)], columns, monotone)

    @property
    def train_rows(self) -> int:
        """How many rows are fitted."""
        return len(self.train_texts)

    @property
    def train(self) -> Pool:
        """Rows to fit, of all classes."""
        [part] = self.parts
        return part.train


def pools_of(rows: pd.DataFrame, columns: ModelColumns, *, monotone: bool) -> list[Pool]:
    """CatBoost's form of labelled rows: of all classes, or of each pair of neighbouring ones.

    Raises:
        UnusableRowsError: A pair lacks a class.
    """
    encoded, labels = columns.encoding.of_frame(rows), rows[schema.TARGET]
    if not monotone:
        return [_pool_of(encoded, labels, columns)]
    pools = []
    for pair in itertools.pairwise(schema.CLASSES):
        lacking = [name for name in pair if not (labels == name).any()]
        if lacking:
            raise UnusableRowsError(
                "monotone: true fits each pair of neighbouring classes by itself, but no training"
                f" row, or no validation row, has the label '{lacking[0]}': load more rows, or set"
                " monotone: false in the configuration of tuned_runs."
            )
        chosen = labels.isin(pair)
        better = (labels[chosen] == pair[1]).astype(int)
        pools.append(_pool_of(encoded[chosen], better, columns))
    return pools


def _pool_of(encoded: pd.DataFrame, label: pd.Series, columns: ModelColumns) -> Pool:
    return Pool(
        encoded,
        label=label,
        cat_features=list(columns.categories),
        text_features=list(columns.texts),
    )


def _quantised(pool: Pool, columns: ModelColumns) -> Pool:
    """Rows to fit with their numbers in bins, which each fit would otherwise find for itself.

    The bins are those of a fit with CatBoost's defaults, and so is the model. Not for the rows to
    stop early on: by itself a pool numbers its categories in another order, and the loss is wrong.
    """
    if not columns.texts:  # CatBoost quantises none
        with suppress(CatBoostError):  # all columns are constant: the fit will say so
            pool.quantize()
    return pool


def fit(
    data: TrainingData,
    params: Mapping[str, Any],
    early_stopping_rounds: int,
    thread_count: int,
    callbacks: Sequence[FitCallback] = (),
) -> Model:
    """Fit one candidate; the model keeps the trees up to its lowest minimised loss on validation.

    The number of threads changes how long it takes, not the result.

    Args:
        data: The rows.
        params: By CatBoost's names.
        early_stopping_rounds: Ends a fit after this many trees without a lower loss on validation.
        thread_count: Threads of the fit.
        callbacks: Called after each tree; each part of the data counts its trees from 1.
    """
    try:
        return combined(
            [
                new_classifier(params, data.columns, thread_count, monotone=data.monotone).fit(
                    part.train,
                    eval_set=part.val,
                    early_stopping_rounds=early_stopping_rounds,
                    callbacks=list(callbacks) or None,
                )
                for part in data.parts
            ],
            data.columns,
            monotone=data.monotone,
        )
    except CatBoostError as error:
        if _NO_WORDS not in str(error):
            raise
        raise CatBoostError(f"{_too_rare(data.train_texts)} ({error})") from error


def new_classifier(
    params: Mapping[str, Any], columns: ModelColumns, thread_count: int, *, monotone: bool
) -> CatBoostClassifier:
    """A CatBoost model that is not fitted yet.

    Args:
        params: By CatBoost's names.
        columns: What it is given of the rows.
        thread_count: Threads of its fit.
        monotone: Whether it follows the directions that the schema declares.
    """
    directions = {
        name: -1 if schema.COLUMNS[name].risk == schema.Risk.rises else 1
        for name in schema.DIRECTED
        if name in columns.encoding.features
    }
    constrained: dict[str, Any] = {}
    if monotone and directions:
        # Combinations of categories with numbers, which CatBoost makes by itself, are not
        # constrained (https://github.com/catboost/catboost/issues/2272); 1 makes none.
        constrained = {"monotone_constraints": directions, "max_ctr_complexity": 1}
    return CatBoostClassifier(
        **params,
        **constrained,
        thread_count=thread_count,
        text_processing=TEXT_PROCESSING,
        allow_writing_files=False,
        verbose=False,
    )


def combined(
    models: Sequence[CatBoostClassifier], columns: ModelColumns, *, monotone: bool
) -> Model:
    """One model of the models of all parts, which were just fitted, that takes prepared rows.

    Of two classes, there is one part either way: a monotone model of it has no names of classes.
    """
    model = OrdinalClassifier.of_fitted(schema.CLASSES, models) if monotone else models[0]
    if not columns.encoding.counted:
        return model
    return EncodedClassifier.of_fitted(model, columns.encoding)


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
