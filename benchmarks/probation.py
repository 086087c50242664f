"""How often a probation rolls back an equal model, and how soon it finds a worse one.

Answers are drawn, not served: what two models truly are is known exactly, and every rule looks at
the same ones every day, by the platform's own evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from credit_ct_dagster.contracts.decision import Comparison, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import Look, Verdict
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import DAY, PREDICTED
from credit_ct_dagster.modeling.watching.looks import in_a_row, width, with_look
from credit_ct_dagster.modeling.watching.paired import IN_SHADOW
from credit_ct_dagster.modeling.watching.probation import evaluate
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules

_DAYS = 60
_PER_DAY = 40
"""Labels that arrive on a day: a bank with 1,200 a month."""
_RIGHT = 0.74
_DIFFERING = 0.1
"""Of the rows of two days' models; see docs/promotion.md."""
_SHARES = [0.29, 0.53, 0.18]
_GAPS = (0.02, 0.05, 0.10)
_MOST_FALSE = 1.0
_RULES = ProbationRules(draws=400)
_PREVIOUS = ModelIdentity(
    base_dt="2025-01-01", mlflow_run_id="r", dagster_run_id="d", data_fingerprint="f"
)


@dataclass(frozen=True)
class _Day:
    """What the labels up to a day say.

    Attributes:
        rows: How many there are.
        verdict: The platform's.
        comparison: Of both models, with the interval for all days; None without labels.
        was_worse: Whether the champion was right less often in the last seven days.
    """

    rows: int
    verdict: Verdict
    comparison: Comparison | None
    was_worse: bool

    @property
    def at_a_single_look(self) -> Verdict:
        """By the 99 % interval that holds for one look."""
        if self.comparison is None or self.rows < _RULES.min_rows:
            return Verdict.undecided
        found = self.comparison.difference
        wider = width(self.rows, _RULES.probation_confidence)
        high = found.value + (found.high - found.value) / wider
        return Verdict.worse if high < 0 else Verdict.undecided

    @property
    def of_the_week(self) -> Verdict:
        """Of whoever compares two numbers."""
        return Verdict.worse if self.was_worse else Verdict.undecided


@dataclass(frozen=True)
class _Rule:
    """How a day is judged, and how many days have to agree.

    Attributes:
        verdict: Of a day.
        needed: Evaluations in a row.
    """

    verdict: Callable[[_Day], Verdict]
    needed: int

    def decided(self, days: Sequence[_Day], wanted: Verdict) -> int | None:
        """The first day on which it decides so, from 1; None if it decides otherwise, or not."""
        looks: tuple[Look, ...] = ()
        for number, day in enumerate(days, start=1):
            verdict = self.verdict(day)
            looks = with_look(looks, Look(day=f"{number:03d}", rows=day.rows, verdict=verdict))
            if verdict != Verdict.undecided and in_a_row(looks, verdict) >= self.needed:
                return number if verdict == wanted else None
        return None


_RULES_COMPARED: Mapping[str, _Rule] = {
    "worse on the labels of the last week": _Rule(lambda day: day.of_the_week, 1),
    "99 % interval, one evaluation": _Rule(lambda day: day.at_a_single_look, 1),
    "99 % interval, three in a row": _Rule(lambda day: day.at_a_single_look, 3),
    "99 % for all evaluations, one": _Rule(lambda day: day.verdict, 1),
    "99 % for all evaluations, three in a row (the platform)": _Rule(lambda day: day.verdict, 3),
}
_OURS = "99 % for all evaluations, three in a row (the platform)"


def run(plan: Plan) -> Findings:
    """Draw probations of equal models, and of worse ones."""
    smoke = plan.window_rows <= 1_000
    equal, worse, days = (4, 2, 12) if smoke else (200, 40, _DAYS)
    rng = np.random.default_rng(7)
    false = _false_rollbacks([_days(_stream(rng, 0.0, days)) for _ in range(equal)])
    found = [_found(gap, [_days(_stream(rng, gap, days)) for _ in range(worse)]) for gap in _GAPS]
    share = next(row["rolled back, %"] for row in false if row["rule"] == _OURS)
    return Findings(
        [within("false rollbacks in 60 days of two equal models", [share], _MOST_FALSE, "%")],
        {
            f"{equal} probations of equal models, {days} days, {_PER_DAY} labels a day": false,
            f"{worse} probations of a worse champion, each": found,
        },
    )


def _stream(rng: np.random.Generator, gap: float, days: int) -> pd.DataFrame:
    """Labelled answers of a champion and of the model before, of which the champion is worse.

    Args:
        rng: Draws.
        gap: By how much of the accuracy.
        days: With so many days' labels, in their order.
    """
    number = days * _PER_DAY
    truth = rng.choice(len(_SHARES), number, p=_SHARES)

    def answer() -> np.ndarray:
        wrong = (truth + rng.integers(1, 3, number)) % 3
        return np.where(rng.random(number) < _RIGHT, truth, wrong)

    before = answer()
    # Two draws agree on some rows, too.
    apart = rng.random(number) < _DIFFERING / (1 - _RIGHT**2 - (1 - _RIGHT) ** 2 / 2)
    served = np.where(apart, answer(), before)
    spoiled = (rng.random(number) < gap / _RIGHT) & (served == truth)
    served = np.where(spoiled, (truth + rng.integers(1, 3, number)) % 3, served)
    classes = np.array(schema.CLASSES)
    return pd.DataFrame(
        {
            schema.CUSTOMER: np.arange(number),
            schema.TARGET: classes[truth],
            PREDICTED: classes[served],
            f"{PREDICTED}{IN_SHADOW}": classes[before],
            DAY: [f"{1 + place // _PER_DAY:03d}" for place in range(number)],
        }
    )


def _days(stream: pd.DataFrame) -> list[_Day]:
    """What the labels up to each day say."""
    right = [stream[f"{PREDICTED}{suffix}"] == stream[schema.TARGET] for suffix in ("", IN_SHADOW)]
    found = []
    for end in range(_PER_DAY, len(stream) + 1, _PER_DAY):
        said = evaluate(stream.iloc[:end], Ground.better, _PREVIOUS, Utility(), _RULES)
        week = slice(end - 7 * _PER_DAY, end)
        was_worse = end >= 7 * _PER_DAY and right[0][week].mean() < right[1][week].mean()
        found.append(_Day(end, said.verdict, said.comparison, bool(was_worse)))
    return found


def _false_rollbacks(streams: Sequence[list[_Day]]) -> list[dict[str, Any]]:
    """Per rule, in how many probations an equal champion would be rolled back, or confirmed."""

    def share(rule: _Rule, wanted: Verdict) -> float:
        decided = sum(rule.decided(each, wanted) is not None for each in streams)
        return 100 * decided / len(streams)

    return [
        {
            "rule": name,
            "rolled back, %": share(rule, Verdict.worse),
            "confirmed, %": share(rule, Verdict.confirmed),
        }
        for name, rule in _RULES_COMPARED.items()
    ]


def _found(gap: float, streams: Sequence[list[_Day]]) -> dict[str, Any]:
    """How soon a worse champion is found, by the platform's rule."""
    rule = _RULES_COMPARED[_OURS]
    found = [day for each in streams if (day := rule.decided(each, Verdict.worse))]
    return {
        "accuracy worse by, points": 100 * gap,
        "found in 60 days, %": 100 * len(found) / len(streams),
        "within 14 days, %": 100 * sum(day <= 14 for day in found) / len(streams),
        "median day": median(found) if found else None,
    }


GROUPS: dict[str, Callable[[Plan], Findings]] = {"probation": run}
