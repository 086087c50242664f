"""The evidence for the presets of the search, for fitting again, and for `monotone`."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.measure import Comparison, within
from benchmarks.plan import Plan
from benchmarks.prepared_windows import prepared_windows
from benchmarks.report import Findings
from benchmarks.split_models import searched
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.judging.monotonicity import gets_better, values_of
from credit_ct_dagster.modeling.search.refit import refit
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.scorer.ordinal import Model

_METRICS = ["log_loss", "accuracy", "macro_f1"]
_ROWS = 300
_NONE = 0.01  # percent, of 300 rows
_Prepared = dict[str, pd.DataFrame]
_Measured = dict[str, dict[str, float]]


def presets(plan: Plan) -> Findings:
    """Search January, split in several ways, and sample windows: by each preset, and fitted again.

    Everything is measured on the holdout, which no search sees.
    """
    rows: list[dict[str, Any]] = []
    found: list[_Measured] = []
    for window in prepared_windows(plan):
        name, splits = window.name, window.rows
        of_window: _Measured = {}
        for preset in ("bank", "quality"):
            started = time.process_time()
            parameters = TuningParameters(**plan.parameters, preset=preset)
            best, models = searched(splits, parameters)
            of_window[preset] = evaluate(models[best.number], splits["holdout"])
            rows.append(
                {
                    "window": name,
                    "preset": preset,
                    "winner": "/".join(f"{value:g}" for value in best.params.values()),
                    "trees": best.iterations,
                    "CPU s": time.process_time() - started,
                    **{metric: of_window[preset][metric] for metric in _METRICS},
                }
            )
        again = refit(
            {**best.params, **parameters.fixed(), "text": parameters.text}, best.trees,
            splits["train"], splits["val"], schema.FEATURES,
        )  # fmt: skip
        of_window["quality, fitted again"] = evaluate(again, splits["holdout"])
        found.append(of_window)
    return Findings(
        [_judged(found)],
        {
            "Winners of each preset, on the holdout": rows,
            "quality against bank": _differences(found, "quality", "bank"),
            "fitted again to train and validation, against quality": _differences(
                found, "quality, fitted again", "quality"
            ),
        },
    )


def monotone(plan: Plan) -> Findings:
    """Fit the centre of the bank's grid, free and with `monotone: true`, on the same windows."""
    rows: list[dict[str, Any]] = []
    found: list[_Measured] = []
    for window in prepared_windows(plan):
        name, splits = window.name, window.rows
        of_window: _Measured = {}
        for kind, is_monotone in (("free", False), ("monotone", True)):
            parameters = TuningParameters(**plan.parameters, monotone=is_monotone)
            fixed = parameters.fixed()
            patience = fixed.pop("early_stopping_rounds")
            data = TrainingData.of(
                splits["train"], splits["val"], schema.FEATURES, text=parameters.text,
                monotone=is_monotone,
            )  # fmt: skip
            model = fit(data, {**parameters.centre(), **fixed}, patience, thread_count=-1)
            better = _share_better(model, splits["holdout"])
            of_window[kind] = evaluate(model, splits["holdout"]) | {"better": better}
            measured = {metric: of_window[kind][metric] for metric in _METRICS}
            rows.append({"window": name, "model": kind, **measured, "gets better": better})
        found.append(of_window)
    best = max(of_window["monotone"]["better"] for of_window in found)
    return Findings(
        [
            within(
                "class gets better as risk rises, monotone, worst window", [100 * best], _NONE, "%"
            )
        ],
        {
            "The centre of the bank's grid, free and monotone": rows,
            "monotone against free": _differences(found, "monotone", "free"),
        },
    )


def _share_better(model: Model, rows: pd.DataFrame) -> float:
    """The share of rows whose class gets better as any declared risk rises, the rest unchanged."""
    few = rows.sample(min(len(rows), _ROWS), random_state=0)
    numbers = {name: number for number, name in enumerate(schema.CLASSES)}
    better = np.zeros(len(few), dtype=bool)
    for name in schema.DIRECTED:
        grid, _ = values_of(rows[name])
        if schema.COLUMNS[name].risk == schema.Risk.falls:
            grid = grid[::-1]
        along = [
            model.predict(few.assign(**{name: value})[model.feature_names_]).ravel()
            for value in grid
        ]
        better |= gets_better(np.array([[numbers[str(each)] for each in row] for row in along]))
    return float(better.mean())


def _differences(found: Sequence[_Measured], ours: str, baseline: str) -> list[dict[str, Any]]:
    """Per metric the mean paired difference over windows, with its 95 % interval."""
    return [
        {
            "metric": metric,
            **_interval([each[ours][metric] - each[baseline][metric] for each in found]),
        }
        for metric in _METRICS
    ]


def _interval(values: Sequence[float]) -> dict[str, Any]:
    """Student's interval of a mean; the windows are few, and splits of January share rows."""
    count = len(values)
    error = float(np.std(values, ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    half = float(t.ppf(0.975, count - 1)) * error if count > 1 else math.nan
    mean = float(np.mean(values))
    return {
        "windows": count,
        "difference": mean,
        "SE": error,
        "95 %": f"{mean - half:+.4f} to {mean + half:+.4f}",
        "lower in": sum(value < 0 for value in values),
    }


def _judged(found: Sequence[_Measured]) -> Comparison:
    pairs = [(each["quality"]["log_loss"], each["bank"]["log_loss"]) for each in found]
    ratio = float(np.mean([ours / theirs for ours, theirs in pairs]))
    judged = within("log-loss of quality, relative to that of bank", [ratio], 1.0, "times")
    interval = _interval([ours - theirs for ours, theirs in pairs])
    judged.notes.append(
        f"{interval['difference']:+.4f} nats, 95 % interval {interval['95 %']},"
        f" {interval['windows']} windows"
    )
    return judged


GROUPS: dict[str, Callable[[Plan], Findings]] = {"presets": presets, "monotone": monotone}
