"""The evidence for the class rule: what models reach by the highest score, and by the utility."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.windows import Tables, january, sample
from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import aligned, calibrate
from credit_ct_dagster.modeling.answers.class_weights import (
    choose_rule,
    start_weights,
    tuned_weights,
)
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData, fit

_CENTRE = {"depth": [7], "rsm": [0.9], "l2_leaf_reg": [5.0]}
_SPLITS_PER_PAIR = 4
_HIGHEST = "highest score"

Classes = dict[str, np.ndarray[Any, np.dtype[np.int64]]]


def run(plan: Plan) -> Findings:
    """Fit models to many splits of January, if its rows are given, and of the sample windows.

    Per model, all rules are judged on the same holdout; a difference is that to the class of the
    highest raw score, with its standard error over the models of a window.
    """
    rows = []
    for name, tables, splits in _windows(plan):
        found = [_measured(tables, seed, plan) for seed in range(splits)]
        rows += _table(name, found)
    return Findings([], {"Classes by several rules, on holdouts": rows})


def _windows(plan: Plan) -> Iterator[tuple[str, Tables, int]]:
    if plan.january:
        yield "January", january(Path(plan.january)), plan.pairs * _SPLITS_PER_PAIR
    for seed in plan.seeds:
        yield f"sample {seed}", sample(plan.window_rows, seed), plan.pairs


def _measured(tables: Tables, seed: int, plan: Plan) -> Classes:
    """Confusion counts per rule, of one model on its holdout."""
    splits, raw_labels = _splits(tables, seed)
    parameters = TuningParameters(**plan.parameters | _CENTRE)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")
    [params] = parameters.candidates()
    data = TrainingData.of(splits["train"], splits["val"], schema.FEATURES, text=parameters.text)
    model = fit(data, {**params, **fixed, "random_seed": seed}, patience, thread_count=1)
    calibration = calibrate(model, splits["val"])
    shares = {
        name: aligned(calibration.model.predict_proba(splits[name]), calibration.model.classes)
        for name in ("val", "holdout")
    }
    true = {
        name: splits[name][schema.TARGET].map(schema.CLASSES.index).to_numpy() for name in shares
    }
    start = start_weights(raw_labels)
    chosen = choose_rule(calibration, splits["val"], raw_labels, Utility())
    weights = {
        "even weights": np.ones(len(start)),
        "1/√share (the start)": start,
        "tuned": tuned_weights(shares["val"], true["val"], start),
        "chosen": np.diag(np.array(chosen.data.gains)),
    }
    scores = aligned(calibration.model.scores(splits["holdout"]), calibration.model.classes)
    classes = {_HIGHEST: scores.argmax(axis=1)} | {
        name: (shares["holdout"] * each).argmax(axis=1) for name, each in weights.items()
    }
    cells = len(schema.CLASSES) ** 2
    return {
        name: np.bincount(true["holdout"] * len(schema.CLASSES) + numbers, minlength=cells).reshape(
            -1, len(schema.CLASSES)
        )
        for name, numbers in classes.items()
    }


def _splits(tables: Tables, seed: int) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Prepared rows, split by customers that are drawn anew for each seed; training labels."""
    labels, features = tables
    rows = labels.merge(features.drop(columns=schema.PERSONAL), on=schema.KEY)
    customers = np.sort(rows[schema.CUSTOMER].unique())
    places = np.random.default_rng(seed).permutation(len(customers)) / len(customers)
    side = np.digitize(
        rows[schema.CUSTOMER].map(dict(zip(customers, places, strict=True))), [0.7, 0.85]
    )
    raw = {name: rows[side == place].reset_index(drop=True) for place, name in enumerate(SPLITS)}
    scalers = fit_scalers(raw["train"])
    counts = raw["train"][schema.TARGET].value_counts().to_dict()
    return {name: prepare(part, scalers) for name, part in raw.items()}, counts


def _table(window: str, found: list[Classes]) -> list[dict[str, Any]]:
    def difference(values: np.ndarray, base: np.ndarray) -> str:
        each = values - base
        error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else float("nan")
        return f"{each.mean():+.4f} ({error:.4f})"

    rows = []
    before = np.stack([each[_HIGHEST] for each in found])
    for rule in found[0]:
        counts = np.stack([each[rule] for each in found])
        recall = confusion.recall(counts).mean(axis=0)
        rows.append(
            {
                "window": window,
                "models": len(found),
                "rule": rule,
                "macro-F1": float(confusion.macro_f1(counts).mean()),
                "difference (SE)": difference(
                    confusion.macro_f1(counts), confusion.macro_f1(before)
                ),
                "accuracy": difference(confusion.accuracy(counts), confusion.accuracy(before)),
                **{
                    f"recall {name}": float(value)
                    for name, value in zip(schema.CLASSES, recall, strict=True)
                },
            }
        )
    return rows


GROUPS = {"class_rules": run}
