"""The evidence for the encoding of texts: native against counts, on the same rows."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.measure import Turn, judge
from benchmarks.plan import Plan
from benchmarks.prepared_windows import prepared_windows
from benchmarks.report import Findings
from benchmarks.split_models import searched
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import aligned
from credit_ct_dagster.modeling.judging.confusion import macro_f1, resampled
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict, predict_proba
from credit_ct_dagster.modeling.search.search_space import Text, TuningParameters
from credit_ct_dagster.scorer.ordinal import Model

_DRAWS = 4_000
_FASTER = 1.0
"""What is not worse beyond doubt has only to be cheaper to become the default."""
_BETTER = {"accuracy": 1, "macro_f1": 1, "log_loss": -1}
"""Per metric, the sign of a difference that is an improvement."""
_CELLS = len(schema.CLASSES) ** 2

Way = Text
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class _Holdout:
    """What both winners of a window answer for its holdout, which no search sees.

    Attributes:
        window: Its name.
        population: Whose customers these are: all splits of January share theirs.
        customers: The customer of each row.
        sums: Per way, what a row adds to its customer's sums, shape (rows, columns): the confusion
            counts, the log-loss and 1.
        metrics: Per way, the metrics of the whole holdout.
        seconds: Per way, the CPU time of its search.
    """

    window: str
    population: str
    customers: np.ndarray[Any, Any]
    sums: dict[Way, Array]
    metrics: dict[Way, dict[str, float]]
    seconds: dict[Way, float]


def run(plan: Plan) -> Findings:
    """Search January, split in several ways, and sample windows: the whole search by each way.

    On one core (`taskset --cpu-list 0`) CPU seconds depend least on what else the machine does; the
    winners do not depend on it at all.
    """
    rows: list[dict[str, Any]] = []
    found: list[_Holdout] = []
    for each in prepared_windows(plan):
        window, population, splits = each.name, each.population, each.rows
        holdout = _Holdout(window, population, _customers(splits["holdout"]), {}, {}, {})
        for way in Text:
            parameters = TuningParameters(**plan.parameters | {"text": way})
            started = time.process_time()
            best, models = searched(splits, parameters)
            holdout.seconds[way] = time.process_time() - started
            model = models[best.number]
            holdout.metrics[way] = evaluate(model, splits["holdout"])
            holdout.sums[way] = _sums(model, splits["holdout"])
            rows.append(
                {
                    "window": window,
                    "text": str(way),
                    "winner": "/".join(f"{value:g}" for value in best.params.values()),
                    "trees": best.iterations,
                    "CPU s": holdout.seconds[way],
                    **{metric: holdout.metrics[way][metric] for metric in _BETTER},
                }
            )
        found.append(holdout)
    return _judged(rows, found)


def _judged(rows: list[dict[str, Any]], found: Sequence[_Holdout]) -> Findings:
    pools = {"all windows": list(found)}
    for population in ("January", "sample rows"):
        of_these = [each for each in found if each.population.startswith(population)]
        if 0 < len(of_these) < len(found):
            pools[population] = of_these
    over_windows = {pool: _over_windows(each) for pool, each in pools.items()}
    over_customers = {pool: _over_customers(each) for pool, each in pools.items()}
    speed = judge(
        "CPU of a pruned search, counts against native",
        [Turn(each.seconds[Text.native]) for each in found],
        [Turn(each.seconds[Text.counts]) for each in found],
        at_least_faster=_FASTER,
    )
    for metric, better in _BETTER.items():
        difference, low, high = over_customers["all windows"][metric]
        not_worse = (high if better > 0 else -low) >= 0
        speed.require(
            not_worse,
            f"{metric} is not worse beyond doubt: {difference:+.4f}, 95 % over customers"
            f" {low:+.4f} to {high:+.4f}",
        )
    return Findings(
        [speed],
        {
            "Winners of each encoding, on the holdout": rows,
            "counts less native, per window": [
                {"window": each.window, **{m: _difference(each, m) for m in _BETTER}}
                for each in found
            ],
            "counts less native, mean of the windows": [
                {
                    "windows": pool,
                    "metric": metric,
                    **over_windows[pool][metric],
                    "95 % over customers": _shown(*over_customers[pool][metric][1:]),
                }
                for pool in pools
                for metric in _BETTER
            ],
        },
    )


def _customers(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Their own names, which all splits share."""
    return rows[schema.CUSTOMER].str.partition(":")[0].to_numpy(dtype=str)


def _sums(model: Model, rows: pd.DataFrame) -> Array:
    """See `_Holdout.sums`."""
    places = {name: place for place, name in enumerate(schema.CLASSES)}
    true, said = (
        np.array([places[str(each)] for each in labels])
        for labels in (rows[schema.TARGET], predict(model, rows))
    )
    shares = aligned(predict_proba(model, rows), [str(name) for name in model.classes_])
    shares = np.clip(shares, np.finfo(float).eps, 1)
    sums = np.zeros((len(rows), _CELLS + 2))
    every = np.arange(len(rows))
    sums[every, true * len(schema.CLASSES) + said] = 1
    sums[:, _CELLS] = -np.log(shares[every, true] / shares.sum(axis=1))
    sums[:, _CELLS + 1] = 1
    return sums


def _metrics(sums: Array) -> dict[str, Array]:
    """The metrics of sums over rows, shape (..., columns)."""
    size = len(schema.CLASSES)
    counts = sums[..., :_CELLS].reshape(*sums.shape[:-1], size, size)
    rows = sums[..., _CELLS + 1]
    return {
        "accuracy": np.trace(counts, axis1=-2, axis2=-1) / rows,
        "macro_f1": macro_f1(counts),
        "log_loss": sums[..., _CELLS] / rows,
    }


def _difference(holdout: _Holdout, metric: str) -> float:
    return holdout.metrics[Text.counts][metric] - holdout.metrics[Text.native][metric]


def _over_windows(found: Sequence[_Holdout]) -> dict[str, dict[str, Any]]:
    """Per metric the mean paired difference, with Student's interval over windows.

    The windows are few, and splits of January share rows.
    """
    rows: dict[str, dict[str, Any]] = {}
    for metric in _BETTER:
        values = [_difference(each, metric) for each in found]
        count, mean = len(values), float(np.mean(values))
        error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        half = float(t.ppf(0.975, count - 1)) * error if count > 1 else math.nan
        rows[metric] = {
            "number": count,
            "difference": mean,
            "SE": error,
            "95 % over windows": _shown(mean - half, mean + half),
            "better in": sum(value * _BETTER[metric] > 0 for value in values),
        }
    return rows


def _over_customers(found: Sequence[_Holdout]) -> dict[str, tuple[float, float, float]]:
    """Per metric the mean paired difference, with the interval of a bootstrap over customers.

    Each draw takes whole customers, the same for both ways and, within January, for all splits;
    the customers of each population are drawn by themselves.
    """
    drawn: dict[str, list[Array]] = {metric: [] for metric in _BETTER}
    for number, population in enumerate({each.population: None for each in found}):
        windows = [each for each in found if each.population == population]
        names = np.unique(np.concatenate([each.customers for each in windows]))
        sums = np.zeros((len(names), len(windows), len(Text), _CELLS + 2))
        for place, each in enumerate(windows):
            at = np.searchsorted(names, each.customers)
            for way, text in enumerate(Text):
                np.add.at(sums[:, place, way], at, each.sums[text])
        found_in: Mapping[str, Array] = _metrics(resampled(sums, _DRAWS, number))
        for metric, values in found_in.items():
            counts, native = (
                values[..., list(Text).index(way)] for way in (Text.counts, Text.native)
            )
            drawn[metric].append(counts - native)
    intervals = {}
    for metric, parts in drawn.items():
        means = np.concatenate(parts, axis=1).mean(axis=1)
        low, high = (float(end) for end in np.quantile(means, [0.025, 0.975]))
        intervals[metric] = float(np.mean([_difference(each, metric) for each in found])), low, high
    return intervals


def _shown(low: float, high: float) -> str:
    return f"{low:+.4f} to {high:+.4f}"


GROUPS: dict[str, Callable[[Plan], Findings]] = {"text_encoding": run}
