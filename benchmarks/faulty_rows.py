"""January's rows with a fault in each."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.windows import TRAIN_SHARE, VAL_SHARE, Tables
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import customer_position

DAYS_LATER = 10
"""Than its label, a feature row is dated."""


def broken(tables: Tables, share: float) -> Tables:
    """Rows of which a share breaks one of three rules, in turn."""
    labels, features = tables
    features = features.copy()
    rows = np.random.default_rng(0).choice(len(features), round(share * len(features)), False)
    features.loc[rows[::3], "age"] = -500
    features.loc[rows[1::3], "credit_mix"] = "_"
    features.loc[rows[2::3], "interest_rate"] = 5797
    return labels, features


def shuffled(tables: Tables) -> Tables:
    """Labels of other customers."""
    labels, features = tables
    drawn = np.random.default_rng(0).permutation(labels[schema.TARGET])
    return labels.assign(**{schema.TARGET: drawn}), features


def a_tenth(tables: Tables) -> Tables:
    """A tenth of the customers of the training split, and all others."""
    labels, features = tables
    position = customer_position(labels[schema.CUSTOMER])
    return labels[~position.between(TRAIN_SHARE / 10, TRAIN_SHARE, inclusive="left")], features


def with_later_rows(tables: Tables) -> Tables:
    """A second feature row of everyone, of another customer and dated later."""
    labels, features = tables
    others = features.sample(frac=1, random_state=0).reset_index(drop=True)
    keys = features[schema.KEY].reset_index(drop=True)
    later = others.assign(**{name: keys[name] for name in schema.KEY})
    later["date"] = later["date"].map(_later)
    return labels, pd.concat([features, later], ignore_index=True)


def delayed(tables: Tables, share: float) -> Tables:
    """A share of the feature rows dated later, and no others of these customers."""
    labels, features = tables
    features = features.copy()
    chosen = np.random.default_rng(0).choice(len(features), round(share * len(features)), False)
    column = features.columns.get_loc("date")
    features.iloc[chosen, column] = features["date"].iloc[chosen].map(_later)
    return labels, features


def _later(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=DAYS_LATER)).isoformat()


def dealt(tables: Tables) -> Tables:
    """Ages and occupations of other customers; and two occupations of each."""
    labels, features = tables
    rng = np.random.default_rng(0)
    dealt = features[["age", "occupation"]].iloc[rng.permutation(len(features))]
    rank = pd.Series(np.where(rng.random(len(features)) < 0.5, "Junior_", "Senior_"))
    occupation = rank.to_numpy() + dealt["occupation"].to_numpy()
    return labels, features.assign(age=dealt["age"].to_numpy(), occupation=occupation)


def leaked(tables: Tables) -> Tables:
    """Validation customers with the features and the label of a training customer each."""
    labels, features = (each.set_index(schema.CUSTOMER, drop=False).copy() for each in tables)
    position = customer_position(labels[schema.CUSTOMER])
    train = labels.index[position < TRAIN_SHARE]
    val = labels.index[position.between(TRAIN_SHARE, TRAIN_SHARE + VAL_SHARE, inclusive="left")]
    copied = train[np.random.default_rng(0).integers(len(train), size=len(val))]
    labels.loc[val, schema.TARGET] = labels.loc[copied, schema.TARGET].to_numpy()
    for name in schema.FEATURES:
        features.loc[val, name] = features.loc[copied, name].to_numpy()
    return labels.reset_index(drop=True), features.reset_index(drop=True)
