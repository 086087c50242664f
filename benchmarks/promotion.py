"""The promotion gate over simulated days: false promotions, and days until a gain is promoted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import mean, median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate import compare, decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict

_SHARES = [0.31, 0.55, 0.14]  # of the classes, in January
_ROWS_PER_DAY = 13  # in the holdout: 390 in a window, and windows of two days share 97 %
_WINDOW_DAYS = 30
_SKILL = 1.45  # gives an accuracy of 0.75, as in January
_OWN_NOISE = 0.26  # of a model: two that are equally good differ in 10 % of their predictions
_GAIN = 0.22  # of skill: 5 points of accuracy
_FIRST_DAY = date(2025, 1, 1)
_CHECK_DAYS = 60  # in which a gain must be promoted


@dataclass(frozen=True)
class World:
    """Holdout rows of all days, and the noise in each.

    Attributes:
        rows: Label and customer per row, oldest first.
        label: Index of each row's class.
        noise: Noise of each class per row, the same for all models, shape (rows, 3).
    """

    rows: pd.DataFrame
    label: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, days: int, rng: np.random.Generator) -> "World":
        """Draw the rows of a number of days, and of the windows before the first."""
        count = (days + 4 * _WINDOW_DAYS) * _ROWS_PER_DAY
        label = rng.choice(len(_SHARES), size=count, p=_SHARES)
        rows = pd.DataFrame(
            {
                schema.TARGET: np.array(schema.CLASSES)[label],
                schema.CUSTOMER: np.arange(count).astype(str),
            }
        )
        return cls(rows, label, rng.standard_normal((count, len(_SHARES))))

    def model(self, skill: float, rng: np.random.Generator) -> np.ndarray:
        """The predictions of a newly trained model for every row."""
        own = rng.standard_normal(self.noise.shape) * _OWN_NOISE
        signal = self.noise + own
        signal[np.arange(len(signal)), self.label] += skill
        return np.array(schema.CLASSES)[signal.argmax(axis=1)]

    def holdout(self, day: int, windows: int) -> slice:
        """The rows of the windows that end on a day."""
        end = (day + 4 * _WINDOW_DAYS) * _ROWS_PER_DAY
        return slice(end - windows * _WINDOW_DAYS * _ROWS_PER_DAY, end)


Judge = Callable[[World, int, int, np.ndarray, np.ndarray, list[PastVerdict]], tuple[bool, Ground]]


def _gate(rules: GateRules) -> Judge:
    """The platform's own rules."""

    def judge(
        world: World,
        day: int,
        since: int,
        challenger: np.ndarray,
        champion: np.ndarray,
        history: list[PastVerdict],
    ) -> tuple[bool, Ground]:
        rows = world.holdout(day, rules.holdout_windows)
        comparison = compare(world.rows[rows], challenger[rows], champion[rows], rules)
        holder = ModelIdentity(
            base_dt=_day(since),
            mlflow_run_id="",
            dagster_run_id="",
            data_fingerprint="",
            registered_version=str(since),
        )
        decision = decide(_day(day), holder, comparison, [], history, rules)
        better = decision.ground in Ground.of_better()
        history.append(PastVerdict(_day(day), str(since), better))
        return decision.promoted, decision.ground

    return judge


def _naive(rows_of: Callable[[World, int], Any]) -> Judge:
    """Promote a challenger that is at least as accurate on the rows of a day."""

    def judge(
        world: World,
        day: int,
        since: int,
        challenger: np.ndarray,
        champion: np.ndarray,
        history: list[PastVerdict],
    ) -> tuple[bool, Ground]:
        rows = rows_of(world, day)
        truth = world.rows[schema.TARGET].to_numpy()[rows]
        wins = (challenger[rows] == truth).mean() >= (champion[rows] == truth).mean()
        return bool(wins), Ground.better

    return judge


def _random_rows(world: World, day: int) -> np.ndarray:
    """As many random rows as a window has, drawn again every day."""
    count = _WINDOW_DAYS * _ROWS_PER_DAY
    return np.random.default_rng(day).integers(len(world.rows), size=count)


def run(plan: Plan) -> Findings:
    """Simulate with and without a true gain."""
    histories, days = (10, 300) if plan.window_rows > 1_000 else (1, 20)
    gates: dict[str, Judge] = {
        "challenger >= champion, on random rows every day": _naive(_random_rows),
        "challenger >= champion, on windows that overlap": _naive(
            lambda world, day: world.holdout(day, 1)
        ),
        "the gate": _gate(GateRules()),
        "the gate, accuracy": _gate(GateRules(metric="accuracy")),
        "the gate, 2 of 3 days agree": _gate(GateRules(agreeing=2, agreeing_of=3)),
        "the gate, 3 windows pooled": _gate(GateRules(holdout_windows=3)),
    }
    table, idle, waits = [], {}, {}
    for name, judge in gates.items():
        false_promotions = [_without_gain(days, seed, judge) for seed in range(histories)]
        idle[name] = [100 * len(grounds) / days for grounds in false_promotions]
        waits[name] = [_days_until_promoted(seed, judge) for seed in range(10 * histories)]
        table.append(
            {
                "rule": name,
                "promoted without gain, % of days": mean(idle[name]),
                "of these because the champion is old": 100
                * mean(grounds.count(Ground.aged) for grounds in false_promotions)
                / days,
                "days to promote a gain of 5 points (median)": median(waits[name]),
                "within 7 days, %": 100 * mean(wait <= 7 for wait in waits[name]),
            }
        )
    return Findings(
        [
            within("promoted without any gain, the gate", [mean(idle["the gate"])], 5, "% of days"),
            within(
                "days until a gain of 5 points is promoted, the gate",
                [median(waits["the gate"])],
                7,
                "days",
            ),
        ],
        {
            f"The gate over {histories} histories of {days} days without gain, and"
            f" {10 * histories} with one": table
        },
    )


def _without_gain(days: int, seed: int, judge: Judge) -> list[Ground]:
    """The grounds on which challengers that are no better were promoted; there is one every day."""
    rng = np.random.default_rng(seed)
    world = World.of(days, rng)
    champion, since, history = world.model(_SKILL, rng), 0, []  # type: ignore[var-annotated]
    grounds = []
    for day in range(1, days + 1):
        challenger = world.model(_SKILL, rng)
        promoted, ground = judge(world, day, since, challenger, champion, history)
        if promoted:
            champion, since = challenger, day
            grounds.append(ground)
    return grounds


def _days_until_promoted(seed: int, judge: Judge) -> int:
    """How many days pass until a lasting gain is promoted."""
    rng = np.random.default_rng(1_000 + seed)
    world = World.of(_CHECK_DAYS, rng)
    champion, history = world.model(_SKILL, rng), []  # type: ignore[var-annotated]
    # The champion was promoted some days before the gain.
    since = -10
    for day in range(1, _CHECK_DAYS + 1):
        challenger = world.model(_SKILL + _GAIN, rng)
        if judge(world, day, since, challenger, champion, history)[0]:
            return day
    return _CHECK_DAYS


def _day(number: int) -> str:
    return (_FIRST_DAY + timedelta(days=number)).isoformat()


GROUPS: dict[str, Callable[[Plan], Findings]] = {"promotion": run}
