"""The gate, day by day, over the models of streams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.stream_models import VARIANTS, Model
from benchmarks.streams import ROWS_PER_DAY, WINDOW_DAYS, World, holdout_draws, window
from credit_ct_dagster.contracts.decision import Decision, Floor, FloorVerdict, Ground, Reliability
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.evidence import Evidence, examine
from credit_ct_dagster.modeling.judging.floors import floors
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict

_FIRST_DAY = date(2025, 1, 1)

Key = tuple[int, str]


@dataclass(frozen=True)
class Rule:
    """A way to decide on the challengers.

    Attributes:
        name: In reports.
        rules: Of the gate.
        variant: One of `VARIANTS`: the utility, and the class rule.
        floors_by_value: Every value below a floor blocks, as before issue 14.
        promotes_by_probabilities: Lower log-loss is a second way to be promoted.
        naive: Not the gate: promotes whatever is at least as good, on the rows of the window, or
            (`random`) on as many other rows every day.
    """

    name: str
    rules: GateRules = field(default_factory=GateRules)
    variant: str = Metric.macro_f1.value
    floors_by_value: bool = False
    promotes_by_probabilities: bool = False
    naive: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a day brought.

    Attributes:
        position: Its place in the history, from 1.
        stream: Of the challenger.
        day: Of the challenger's window, in its stream.
        promoted: Whether the challenger is the champion now.
        ground: Why.
        gain: What the challenger is truly better by, on all customers.
        age: Of the champion, in days.
        blocked: By a floor.
        truly_below: Whether one of the floors that block is truly missed, on all customers.
        champion_below: Whether the champion lies below one of them as well, on all customers.
        differing: The share of the rows on which the two predict different classes.
        reliability: What the guard of the probabilities says.
        loss_gain: By how much the challenger's log-loss is truly lower, on all customers.
    """

    position: int
    stream: int
    day: int
    promoted: bool
    ground: Ground
    gain: float
    age: int
    blocked: bool = False
    truly_below: bool = False
    champion_below: bool = False
    differing: float | None = None
    reliability: Reliability | None = None
    loss_gain: float = 0.0


@dataclass
class History:
    """Days on which the models of all streams, one stream after the other, are challengers.

    A history begins with one of the streams and draws its own holdout rows. So a few streams give
    many histories: their models are the same, the luck of their holdouts is not.

    Attributes:
        world: The customers.
        models: All models by their keys.
        streams: How many streams.
        days: Of each stream.
        first: The stream that it begins with.
        start: The day of that stream before the first one.
        again: Numbers the draw of the holdout rows.
    """

    world: World
    models: Mapping[Key, Model]
    streams: int
    days: int
    first: int
    again: int
    start: int = 0

    def __post_init__(self) -> None:
        """Nothing has been examined yet."""
        self._examined: dict[tuple[object, ...], Evidence] = {}
        self._truly: dict[tuple[Key, str], Mapping[str, float]] = {}

    @property
    def length(self) -> int:
        """Days until every model was a challenger."""
        return self.streams * self.days - self.start

    @cached_property
    def _drawn(self) -> np.ndarray:
        return holdout_draws(self.world, self.length, self.first, self.again)

    def challenger(self, position: int) -> Key:
        """The model of a day; position 0 is the first champion."""
        after, day = divmod(self.start + position - 1, self.days)
        if position == 0 and self.start == 0:
            after, day = 0, -1
        return ((self.first + after) % self.streams, f"day-{day + 1:03}")

    def walk(
        self, rule: Rule, champion: Key | None = None, age: int = 0, most: int | None = None
    ) -> list[Outcome]:
        """Decide day by day.

        Args:
            rule: How.
            champion: The first champion; by default the model of the day before.
            age: Of the first champion, in days.
            most: Stop at the first promotion, or after so many days; None: go on to the end.
        """
        holder, since = champion or self.challenger(0), -age
        past: list[PastVerdict] = []
        found = []
        for position in range(1, min(most or self.length, self.length) + 1):
            outcome = self._decide(rule, position, holder, since, past)
            found.append(outcome)
            if outcome.promoted:
                if most:
                    break
                holder, since = self.challenger(position), position
        return found

    def _decide(
        self, rule: Rule, position: int, holder: Key, since: int, past: list[PastVerdict]
    ) -> Outcome:
        key = self.challenger(position)
        gain = self.models[key].goodness[rule.variant] - self.models[holder].goodness[rule.variant]
        known = {
            "position": position,
            "stream": key[0],
            "day": int(key[1].removeprefix("day-")),
            "gain": gain,
            "age": position - since,
        }
        if rule.naive:
            won = self._at_least_as_good(rule, position, key, holder)
            ground = Ground.better if won else Ground.worse
            return Outcome(promoted=won, ground=ground, **known)  # type: ignore[arg-type]
        evidence = self._examine(rule, position, key, holder)
        decision = _decision(rule, position, since, evidence, past)
        past.append(PastVerdict(_day(position), str(since), decision.ground in Ground.of_better()))
        assert evidence.comparison
        assert evidence.probabilities
        promoted, ground = decision.promoted, decision.ground
        reliability = evidence.probabilities.verdict
        if rule.promotes_by_probabilities and reliability == Reliability.champion_worse:
            promoted, ground = True, Ground.better
        blocking = [each for each in decision.floors if each.verdict == FloorVerdict.below]
        blocked = ground == Ground.below_floor

        def below(model: Key) -> bool:
            if not blocked:
                return False
            truth = self._truth(model, rule.variant)
            return any(truth[each.what] < each.least for each in blocking)

        return Outcome(
            promoted=promoted,
            ground=ground,
            blocked=blocked,
            truly_below=below(key),
            champion_below=below(holder),
            differing=(evidence.comparison.differing or 0) / evidence.rows,
            reliability=reliability,
            loss_gain=self.models[holder].log_loss - self.models[key].log_loss,
            **known,  # type: ignore[arg-type]
        )

    def _examine(self, rule: Rule, position: int, key: Key, holder: Key) -> Evidence:
        """What the holdout says; the same for all rules that look at the same rows."""
        windows = rule.rules.holdout_windows
        case = (windows, rule.variant, position, key, holder)
        if case not in self._examined:
            customers = window(self._drawn, position, windows)
            utility, _ = VARIANTS[rule.variant]
            answers = [self.models[each].answers(customers, rule.variant) for each in (key, holder)]
            self._examined[case] = examine(
                rows_of(self.world, customers),
                answers,
                utility,
                rule.rules,
                # The oldest window comes first.
                windows=np.arange(windows)[::-1].repeat(len(customers) // windows),
            )
        return self._examined[case]

    def _truth(self, model: Key, variant: str) -> Mapping[str, float]:
        """What a model truly reaches at each floor."""
        if (model, variant) not in self._truly:
            self._truly[model, variant] = {
                each.what: each.value
                for each in true_floors(self.world, self.models[model].classes[variant])
            }
        return self._truly[model, variant]

    def _at_least_as_good(self, rule: Rule, position: int, key: Key, holder: Key) -> bool:
        if rule.naive == "random":
            rng = np.random.default_rng((self.first, self.again, position))
            count = WINDOW_DAYS * ROWS_PER_DAY["holdout"]
            customers = rng.integers(len(self.world.judged), size=count)
        else:
            customers = window(self._drawn, position)
        rows = rows_of(self.world, customers)
        utility, _ = VARIANTS[rule.variant]
        ours, theirs = (
            confusion.goodness(
                confusion.counts_per_customer(
                    rows, self.models[each].classes[rule.variant][customers]
                ).sum(axis=0),
                utility,
            )
            for each in (key, holder)
        )
        return bool(ours >= theirs)


def rows_of(world: World, customers: np.ndarray) -> pd.DataFrame:
    """Drawn rows; whoever is drawn twice counts as two customers, as in an endless world."""
    rows = world.judged.iloc[customers].reset_index(drop=True)
    return rows.assign(**{schema.CUSTOMER: np.arange(len(rows)).astype(str)})


def true_floors(world: World, classes: np.ndarray) -> Sequence[Floor]:
    """What a model reaches at each floor on all customers, the smallest groups included."""
    return floors(world.judged, classes, None, GateRules(min_slice_rows=1))


def by_value(found: Sequence[Floor]) -> list[Floor]:
    """The floors as they were judged before issue 14: every value below one is missed."""
    return [
        each.model_copy(update={"verdict": FloorVerdict.met if each.met else FloorVerdict.below})
        for each in found
    ]


def _decision(
    rule: Rule, position: int, since: int, evidence: Evidence, past: Sequence[PastVerdict]
) -> Decision:
    holder = ModelIdentity(
        base_dt=_day(since),
        mlflow_run_id="",
        dagster_run_id="",
        data_fingerprint="",
        registered_version=str(since),
    )
    if rule.floors_by_value:
        evidence = Evidence(
            rows=evidence.rows,
            floors=by_value(evidence.floors),
            comparison=evidence.comparison,
            probabilities=evidence.probabilities,
        )
    return decide(_day(position), holder, evidence, past, rule.rules)


def _day(number: int) -> str:
    return (_FIRST_DAY + timedelta(days=number)).isoformat()
