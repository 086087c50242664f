"""Leakage tests: does a model ever see what it cannot know when it answers?"""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.windows import JANUARY_BASE_DT, TRAIN_SHARE, VAL_SHARE, Tables
from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, scalers_fingerprint
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_FACTOR = 1_000.0
_LATER = ["2025-01-31", "2025-03-15"]
"""Days of planted feature rows: in the window after nearly all labels, and after the window."""


def split(rows: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Split as the platform does, under other names of the customers, whose hash decides."""
    renamed = rows.assign(**{schema.CUSTOMER: rows[schema.CUSTOMER] + f":{seed}"})
    return split_by_customer(renamed, TRAIN_SHARE, VAL_SHARE)


def leaks(tables: Tables, rows: pd.DataFrame, splits: int, folder: Path) -> list[dict[str, Any]]:
    """What each test found, 0 where nothing leaks; and with a leak, to show that the test sees it.

    Args:
        tables: Labels and features of January.
        rows: The same, merged.
        splits: How many splits are looked at.
        folder: For a feature store.
    """
    made = [split(rows, seed) for seed in range(splits)]
    merged, leaking = (_changed_by_later_features(tables, folder, each) for each in (True, False))
    scaled = [_scalers_changed(rows, seed) for seed in range(splits)]
    found = [
        (f"customers on two sides, {splits} splits", sum(map(_shared_customers, made)), None),
        (
            "keys, personal data or the label among the features",
            len({*schema.KEY, *schema.PERSONAL, schema.TARGET} & {*schema.FEATURES}),
            None,
        ),
        ("merged rows changed by feature rows dated after the label", merged, leaking),
        (
            f"splits whose scalers change with rows outside training, {splits} splits",
            sum(of_train for of_train, _ in scaled),
            sum(of_all for _, of_all in scaled),
        ),
        (f"holdout rows equal to a training row, {splits} splits", sum(map(_twins, made)), None),
    ]
    return [
        {"test": test, "found": number, "with a planted leak": planted}
        for test, number, planted in found
    ]


def _shared_customers(splits: dict[str, pd.DataFrame]) -> int:
    customers = [set(splits[name][schema.CUSTOMER]) for name in SPLITS]
    return sum(map(len, customers)) - len(set().union(*customers))


def _changed_by_later_features(tables: Tables, folder: Path, point_in_time: bool) -> int:
    """Merge January twice: as it is, and with other features of every customer, dated later."""
    labels, features = tables
    plain, planted = (
        FeatureStore(url=f"sqlite:///{folder}/{name}-{point_in_time}.db")
        for name in ("plain", "planted")
    )
    for store in (plain, planted):
        store.upsert({"credit_score": labels, "credit_score_features": features})
    on_time = labels[labels["date"] < _LATER[0]]["id"]
    others = features[features["id"].isin(on_time)].assign(
        **{name: features[name] * 10 for name in schema.NUMERIC}
    )
    for day in _LATER:
        planted.upsert({"credit_score_features": others.assign(date=day)})
    merged = []
    for store in (plain, planted):
        store.merge(JANUARY_BASE_DT, point_in_time=point_in_time)
        merged.append(store.read(JANUARY_BASE_DT))
    assert len(merged[0]) == len(merged[1]) == len(labels)
    same = merged[0].eq(merged[1]) | (merged[0].isna() & merged[1].isna())
    return int((~same.all(axis=1)).sum())


def _scalers_changed(rows: pd.DataFrame, seed: int) -> tuple[bool, bool]:
    """Whether scalers of the training rows, and those of all rows, depend on the other rows."""
    outside = ~rows["id"].isin(split(rows, seed)["train"]["id"])
    changed = rows.assign(
        **{name: rows[name].mask(outside, rows[name] * _FACTOR) for name in schema.NUMERIC}
    )
    of_train, of_all = (
        [scalers_fingerprint(fit_scalers(each)) for each in pair]
        for pair in (
            (split(rows, seed)["train"], split(changed, seed)["train"]),
            (rows, changed),
        )
    )
    return len({*of_train}) > 1, len({*of_all}) > 1


def _twins(splits: dict[str, pd.DataFrame]) -> int:
    """Holdout rows that a model could know by heart."""
    seen = set(map(tuple, splits["train"][schema.FEATURES].astype(str).to_numpy()))
    rows = splits["holdout"][schema.FEATURES].astype(str).to_numpy()
    return sum(tuple(row) in seen for row in rows)


def prepared(splits: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Scaled by scalers that are fitted to the training rows."""
    scalers = fit_scalers(splits["train"])
    return {name: prepare(part, scalers) for name, part in splits.items()}
