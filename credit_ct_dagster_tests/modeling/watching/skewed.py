"""Served and stored features for tests of skew."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.serving_skew import FeatureSkew, Pattern
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.skew import feature_skew
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules

Change = Callable[[pd.Series], pd.Series]


def as_json(rows: pd.DataFrame) -> pd.DataFrame:
    """Features as JSON has them: numbers, texts and None, as objects."""
    objects = rows[schema.FEATURES].astype(object)
    return objects.where(objects.notna(), None)


def changed(
    rows: pd.DataFrame, feature: str, change: Change, share: float = 1.0, seed: int = 0
) -> pd.DataFrame:
    """Features as JSON has them, of which a share of the values of one feature is changed."""
    served = as_json(rows)
    chosen = np.random.default_rng(seed).random(len(rows)) < share
    column = served[feature].to_numpy(copy=True)
    column[chosen] = change(served.loc[chosen, feature]).astype(object).to_numpy()
    values = pd.Series(column, index=served.index, dtype=object)
    served[feature] = values.where(values.notna(), None)
    return served


def compared(
    served: pd.DataFrame, stored: pd.DataFrame, customers: pd.Series | None = None, **rules: object
) -> dict[str, FeatureSkew]:
    """What is found per feature; every row is of a customer of its own unless told otherwise."""
    own = pd.Series(range(len(stored)), index=stored.index)
    whose = own if customers is None else customers
    found = feature_skew(served, stored[schema.FEATURES], whose, SkewRules(**rules))
    return {each.feature: each for each in found}


def patterns(skew: FeatureSkew) -> dict[Pattern, tuple[int, str]]:
    """Per pattern, how many values disagree and the detail."""
    return {each.kind: (each.rows, each.detail) for each in skew.patterns}
