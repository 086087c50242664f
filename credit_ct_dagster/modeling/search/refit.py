"""The chosen candidate once more, fitted to the training and the validation rows together."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from credit_ct_dagster.modeling.search.encoding import ModelColumns
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import combined, new_classifier, pools_of
from credit_ct_dagster.scorer.ordinal import Model


def refit(
    params: Mapping[str, Any],
    iterations: Sequence[int],
    train: pd.DataFrame,
    val: pd.DataFrame,
    features: Sequence[str],
    *,
    thread_count: int = -1,
) -> Model:
    """Fit a candidate to all rows that it was chosen with, with the trees that it has.

    Nothing stops the fit early, since no row is left that it does not see: the number of trees is
    the one that the validation rows chose. What was learned from the candidate on the validation
    rows, such as its calibration, cannot be learned again from this model, which has seen them.

    Args:
        params: `BestModel.params` and `BestModel.fixed`: of the candidate, by CatBoost's names, and
            `monotone` and `text`; a record of a release before `text` has none, and is native.
        iterations: `BestModel.trees`: of each of its CatBoost models.
        train: Prepared rows with labels.
        val: The same.
        features: `SearchSummary.features`.
        thread_count: Threads of the fit; -1: one per core.
    """
    of_catboost = dict(params)
    of_catboost.pop("early_stopping_rounds", None)
    monotone = bool(of_catboost.pop("monotone", False))
    text = Text(of_catboost.pop("text", Text.native))
    rows = pd.concat([train, val], ignore_index=True)
    columns = ModelColumns.of(rows, features, text)
    pools = pools_of(rows, columns, monotone=monotone)
    return combined(
        [
            new_classifier(
                of_catboost | {"iterations": trees}, columns, thread_count, monotone=monotone
            ).fit(pool)
            for pool, trees in zip(pools, iterations, strict=True)
        ],
        columns,
        monotone=monotone,
    )
