"""The promotion gate on streams of real models: false promotions, power, floors, probabilities."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bootstrap import of_shares
from benchmarks.measure import Comparison, at_least, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.stream_gate import Rule
from benchmarks.stream_models import fit_streams
from benchmarks.stream_studies import (
    SIZES,
    Sharpened,
    Streams,
    Wait,
    sharpened,
    waits,
    without_gain,
)
from benchmarks.stream_tables import (
    Months,
    aged_table,
    apart_table,
    blocked_table,
    falsely,
    floors_table,
    guard_table,
    history_guard_table,
    models_table,
    power_table,
    promoted_table,
    warned_falsely,
    within_days,
)
from benchmarks.streams import World, daily, halves, weaker
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE

_NEVER = 100_000

BEFORE = Rule(
    "the gate before: one window, floors by value, highest score",
    GateRules(holdout_windows=1, excuse_shared_floors=False),
    variant=HIGHEST_SCORE,
    floors_by_value=True,
)
ONE = Rule("the gate, one window", GateRules(holdout_windows=1))
TWO = Rule("the gate, two windows", GateRules(holdout_windows=2))
GATE = Rule("the gate (three windows)")
AGREEING = Rule("the gate, two of three days agree", GateRules(agreeing=2, agreeing_of=3))
BY_VALUE = Rule(
    "the gate, floors by value", GateRules(excuse_shared_floors=False), floors_by_value=True
)
AGES = [
    Rule("the gate, age 45", GateRules(max_champion_age_days=45)),
    Rule("the gate, age 62", GateRules(max_champion_age_days=62)),
    Rule("the gate, age 93", GateRules(max_champion_age_days=93)),
    Rule("the gate, at any age by evidence only", GateRules(max_champion_age_days=_NEVER)),
]
RULES = [
    Rule("challenger >= champion, on other rows every day", naive="random"),
    Rule("challenger >= champion, on windows that overlap", naive="window"),
    BEFORE,
    ONE,
    TWO,
    GATE,
    Rule("the gate, accuracy", variant=Metric.accuracy.value),
    Rule("the gate, expected cost", variant=Metric.expected_cost.value),
    Rule("the gate, classes by highest score", variant=HIGHEST_SCORE),
    Rule("the gate, cool-down 0", GateRules(cool_down_days=0)),
    Rule("the gate, cool-down 7", GateRules(cool_down_days=7)),
    AGREEING,
    BY_VALUE,
    Rule("the gate, or lower log-loss", promotes_by_probabilities=True),
    *AGES,
]
POWER_RULES = [BEFORE, ONE, TWO, GATE, AGREEING]
GAINS = (0.01, 0.02, 0.05)
POWERS = (1.0, 1.5, 2.0, 3.0)
_SURE = 2.0  # power at which the guard must see it
_PAIRS = 10


@dataclass(frozen=True)
class Size:
    """How much is fitted and drawn.

    Attributes:
        streams: Streams of models.
        days: Of each; whole months.
        histories: Draws of the holdout rows.
        champions: Waits per gain.
        draws: Of rows, per model, for floors and probabilities.
        shares: Of the training rows, for weaker champions.
        trees: The most trees of others.
    """

    streams: int
    days: int
    histories: int
    champions: int
    draws: int
    shares: tuple[float, ...] = (0.04, 0.08, 0.12, 0.2, 0.3, 0.45)
    trees: tuple[int, ...] = (3, 8)


JANUARY = Size(streams=4, days=60, histories=8, champions=40, draws=20)
SAMPLE = Size(streams=2, days=30, histories=8, champions=40, draws=20)
SMOKE = Size(streams=2, days=4, histories=2, champions=2, draws=2, shares=(0.1,), trees=())
_SAMPLE_ROWS = 20_000


def run(plan: Plan) -> Findings:
    """Fit the streams, then judge the same models by every rule."""
    smoke = plan.window_rows <= 1_000
    found = Findings()
    with tempfile.TemporaryDirectory() as temporary:
        folder = plan.models or Path(temporary)
        if plan.january:
            world = World.january(plan.january)
            _judge(found, world, SMOKE if smoke else JANUARY, folder, targets=True)
        rows = plan.large_rows if smoke else _SAMPLE_ROWS
        size = SMOKE if smoke else SAMPLE
        _judge(found, World.sample(rows), size, folder, targets=not plan.january)
    return found


def _judge(found: Findings, world: World, size: Size, folder: Path, targets: bool) -> None:
    folder = folder / f"{world.name.replace(' ', '-')}-{len(world.judged)}"
    recipes = [*daily(size.days), *halves(), *weaker(size.shares, size.trees)]
    fit_streams(world, recipes, size.streams, size.days, folder)
    streams = Streams.load(world, recipes, size.streams, size.days, folder)
    months = {
        name: Months.of(histories)
        for name, histories in without_gain(streams, RULES, size.histories).items()
    }
    waited = {gain: waits(streams, POWER_RULES, gain, size.champions) for gain in GAINS}
    guards = sharpened(streams, POWERS, _PAIRS, size.draws)

    def of(rules: Sequence[Rule]) -> dict[str, Months]:
        return {rule.name: months[rule.name] for rule in rules}

    title = f"{world.name}, {size.streams} streams of {size.days} days, {size.histories} histories"
    found.tables |= {
        f"{world.name}: the models of the days": models_table(streams),
        f"{world.name}: customers to whom two models give different classes, % (range)":
            apart_table(streams),
        f"{title}: promoted as better, though nothing changes": promoted_table(of(RULES)),
        f"{title}: promoted because the champion is old": aged_table(of([ONE, TWO, GATE, *AGES])),
        f"{title}: kept out by a floor": blocked_table(of([BEFORE, ONE, TWO, GATE, BY_VALUE])),
        f"{title}: a champion that is truly worse": power_table(waited),
        f"{world.name}: a floor keeps out, without a champion": floors_table(streams, size.draws),
        f"{title}: log-loss guard": history_guard_table(of([ONE, TWO, GATE])),
        f"{world.name}: log-loss guard, champions whose probabilities are raised to a power":
            guard_table(guards),
    }  # fmt: skip
    if targets:
        found.comparisons += _targets(months[GATE.name], waited[0.02][GATE.name], guards)


def _targets(gate: Months, waited: Sequence[Wait], guards: Sequence[Sharpened]) -> list[Comparison]:
    """What issue 14 expects."""
    false = gate.any(falsely)[0]
    wrongly = gate.share(warned_falsely)[0]
    seen = [case.seen[SIZES[0]] for case in guards if case.power == _SURE]
    found = [
        within("months with a promotion that is truly not better", [false], 2.5, "% of months"),
        within("the log-loss guard warns, though nothing is worse", [wrongly], 1.0, "% of days"),
    ]
    if waited:
        early = within_days(waited, 7)[0]
        found.append(at_least("a gain of 2 points is promoted within 7 days", [early], 74, "%"))
    for draws in seen:
        found.append(at_least("the guard sees it", [of_shares(draws)[0]], 98, "%"))
    return found


GROUPS: dict[str, Callable[[Plan], Findings]] = {"promotion": run}
