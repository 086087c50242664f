"""The figures of `docs/validation.md` that no other measurement gives, on January's rows."""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.leakage import leaks, prepared, split
from benchmarks.measure import Comparison, within
from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.split_models import Rows, centre, retrained, scorer_of, searched
from benchmarks.windows import january
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    expected_calibration_error,
    perfect_calibration_errors,
    probability_log_loss,
)
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.judging.monotonicity import monotonicity_of
from credit_ct_dagster.modeling.judging.stability import predictions_sha256, reason_stability
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.scorer.scorer import Scorer

_PERSONAL_FEATURES = ["age", "occupation"]
_A_DAY = 31
"""Windows of consecutive days differ in one of so many days."""
_DRAWS = 200
_MOST_GAINED = 2.0  # points
_Measured = dict[str, float]


def run(plan: Plan) -> Findings:
    """Split January in several ways, `--pairs` of them, and measure a model of each split."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    tables = january(plan.january)
    rows = tables[0].merge(tables[1].drop(columns=schema.PERSONAL), on=schema.KEY)
    with tempfile.TemporaryDirectory() as folder:
        tests = leaks(tables, rows, plan.pairs, Path(folder))
    found = [_measured(split(rows, seed), plan, seed) for seed in range(plan.pairs)]
    return Findings(
        _judged(tests, found),
        {
            "Leakage": tests,
            f"Over {plan.pairs} splits of January, on the holdout": [
                {"figure": name, **_interval([each[name] for each in found if name in each])}
                for name in dict.fromkeys(name for each in found for name in each)
            ],
        },
    )


def _judged(tests: Sequence[Mapping[str, Any]], found: Sequence[_Measured]) -> list[Comparison]:
    leaking = float(sum(each["found"] for each in tests))
    gained = float(np.mean([each[_SHUFFLED] for each in found]))
    same = float(np.mean([each[_REPRODUCED] for each in found]))
    return [
        within("what leakage tests found", [leaking], 0.5, "findings"),
        within("accuracy of shuffled labels", [gained], _MOST_GAINED, "points over the majority"),
        within("splits whose second fit predicts otherwise", [1 - same], 0.001, "share"),
    ]


_SHUFFLED = "shuffled labels: accuracy over the majority class, points"
_REPRODUCED = "a second fit has the same predictions (1: yes)"


def _measured(raw: Rows, plan: Plan, seed: int) -> _Measured:
    """Everything of one split."""
    rows, rng = prepared(raw), np.random.default_rng(seed)
    holdout = rows["holdout"]
    model = centre(rows, plan)
    base = evaluate(model, holdout)
    without = [name for name in schema.FEATURES if name not in _PERSONAL_FEATURES]
    excluded = evaluate(centre(rows, plan, without), holdout)
    majority = float((holdout[schema.TARGET] == _most_frequent(rows["train"])).mean())
    shuffled = {
        name: part.assign(**{schema.TARGET: rng.permutation(part[schema.TARGET])})
        for name, part in rows.items()
    }
    scorer = scorer_of(model, raw, rows)
    # The windows of two days: each lacks the rows of a day that the other has.
    places = rng.permutation(len(raw["train"]))
    days = len(places) // _A_DAY
    one, other = (
        retrained(raw, np.sort(np.delete(places, np.s_[start : start + days])), plan)
        for start in (0, days)
    )
    again = scorer_of(centre(rows, plan), raw, rows)
    hashes = [
        predictions_sha256(raw["holdout"], each.score_rows(raw["holdout"]))
        for each in (scorer, again)
    ]
    learned_noise = evaluate(centre(shuffled, plan), holdout)["accuracy"]
    return {
        _SHUFFLED: 100 * (learned_noise - majority),
        _REPRODUCED: float(hashes[0] == hashes[1]),
        "log-loss": base["log_loss"],
        "accuracy over the majority class, points": 100 * (base["accuracy"] - majority),
        "log-loss without age and occupation, minus with": excluded["log_loss"] - base["log_loss"],
        "accuracy without age and occupation, minus with, points": 100
        * (excluded["accuracy"] - base["accuracy"]),
        **_probabilities(scorer, raw["holdout"]),
        **_optimism(rows, plan),
        **_monotonicity(scorer, raw["holdout"]),
        **_stability(one, other, raw["holdout"]),
    }


def _most_frequent(train: pd.DataFrame) -> str:
    return str(train[schema.TARGET].mode().iloc[0])


def _probabilities(scorer: Scorer, rows: pd.DataFrame) -> _Measured:
    scored, truth = scorer.score_rows(rows), rows[schema.TARGET]
    error = expected_calibration_error(truth, scored.probabilities)
    perfect = perfect_calibration_errors(scored.probabilities, _DRAWS, seed=0)
    return {
        "log-loss of calibrated probabilities": probability_log_loss(truth, scored.probabilities),
        "ECE": error,
        "ECE that a perfect model averages": float(perfect.mean()),
        "ECE beyond 95 % of a perfect model's (1: yes)": float(error > np.quantile(perfect, 0.95)),
    }


def _optimism(rows: Rows, plan: Plan) -> _Measured:
    """How much better the winner of a search looks on the rows that it was chosen by."""
    best, models = searched(rows, TuningParameters(**plan.parameters))
    optimism = {
        number: {
            metric: value - evaluate(model, rows["holdout"])[metric]
            for metric, value in evaluate(model, rows["val"]).items()
        }
        for number, model in models.items()
    }
    chosen = optimism.pop(best.number)
    found = {
        "winner: accuracy on validation minus holdout, points": 100 * chosen["accuracy"],
        "winner: log-loss on validation minus holdout": chosen["log_loss"],
    }
    if optimism:  # the others that were fitted to the end
        usual = float(np.mean([each["accuracy"] for each in optimism.values()]))
        found["winner: the same of accuracy, beyond that of other candidates, points"] = 100 * (
            chosen["accuracy"] - usual
        )
    return found


def _monotonicity(scorer: Scorer, rows: pd.DataFrame) -> _Measured:
    found: _Measured = {}
    for each in sorted(monotonicity_of(scorer, rows), key=lambda each: each.feature):
        found[f"class gets better as risk rises, {each.feature}, % of rows"] = 100 * each.better
        found[f"  between the 5 and 95 % quantiles, {each.feature}, %"] = 100 * each.between
    return found


def _stability(one: Scorer, other: Scorer, rows: pd.DataFrame) -> _Measured:
    classes = [each.score_rows(rows).classes for each in (one, other)]
    reasons = reason_stability(one, other, "", rows)
    assert reasons.shared is not None
    return {
        "models of two days: rows with another class, %": 100
        * float((classes[0] != classes[1]).mean()),
        "models of two days: reasons shared, %": 100 * reasons.shared.value,
        "models of two days: same first reason, %": 100 * float(reasons.same_first or 0),
    }


def _interval(values: Sequence[float]) -> dict[str, Any]:
    """A mean with Student's 95 % interval; splits of the same rows are not quite independent."""
    count, mean = len(values), float(np.mean(values))
    half = math.nan
    if count > 1:
        half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return {
        "mean": mean,
        "95 %": f"{mean - half:.4f} to {mean + half:.4f}",
        "lowest": min(values),
        "highest": max(values),
    }


GROUPS: dict[str, Callable[[Plan], Findings]] = {"validation": run}
