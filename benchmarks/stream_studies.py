"""What is examined with the models of streams: rules, power, floors, probabilities."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bootstrap import draw_once
from benchmarks.stream_gate import (
    History,
    Key,
    Outcome,
    Rule,
    by_value,
    rows_of,
    true_floors,
)
from benchmarks.stream_models import Model, shared, workers
from benchmarks.streams import Recipe, World, halves
from credit_ct_dagster.contracts.decision import FloorVerdict, Reliability
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    expected_calibration_error,
    probability_log_loss,
)
from credit_ct_dagster.modeling.judging.floors import floors
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.probability_guard import compare_probabilities

SIZES = (390, 661, 1_847)
"""Holdout rows of a window: of the streams, of January, and of a window of 12,000 rows."""
PATIENCE_DAYS = 30
_NEAR = 0.003  # of the wanted gain
_AGE_DAYS = 7  # of the champion that is to be replaced, so that its age is no ground for a month
_DAYS_OF_A_MONTH = 30
_VARIANT = Metric.macro_f1.value


@dataclass(frozen=True)
class Streams:
    """The models of a world.

    Attributes:
        world: The customers.
        models: By stream and name.
        streams: How many streams.
        days: Of each stream.
    """

    world: World
    models: Mapping[Key, Model]
    streams: int
    days: int

    @classmethod
    def load(
        cls, world: World, recipes: Iterable[Recipe], streams: int, days: int, folder: Path
    ) -> "Streams":
        """Read what `fit_streams` wrote."""
        truth = world.judged[[schema.CUSTOMER, schema.TARGET]]
        models = [
            Model.load(folder, stream, recipe.name, truth)
            for recipe in recipes
            for stream in range(streams)
        ]
        return cls(world, {model.key: model for model in models}, streams, days)

    def history(self, first: int, again: int, start: int = 0) -> History:
        """Days on which the models are challengers."""
        return History(self.world, self.models, self.streams, self.days, first, again, start)

    def daily(self) -> list[Model]:
        """The models of all days."""
        return [model for (_, name), model in self.models.items() if name.startswith("day-")]


def without_gain(
    streams: Streams, rules: Sequence[Rule], histories: int
) -> dict[str, list[list[Outcome]]]:
    """Every rule over histories in which nothing changes: per rule, the outcomes per history."""
    with workers(streams, rules) as pool:
        found = list(pool.map(_walked, range(histories)))
    return {rule.name: [history[rule.name] for history in found] for rule in rules}


def _walked(number: int) -> dict[str, list[Outcome]]:
    streams, rules = _in_worker()
    history = streams.history(number % streams.streams, number)
    return {rule.name: history.walk(rule) for rule in rules}


@dataclass(frozen=True)
class Wait:
    """How long a better model had to wait.

    Attributes:
        cluster: The stream and the month in which the wait began.
        gain: What the challengers of the following month are truly better by, on average.
        days: Until one was promoted; a day more than were waited for if none was.
    """

    cluster: tuple[int, int]
    gain: float
    days: int


def waits(streams: Streams, rules: Sequence[Rule], gain: float, most: int) -> dict[str, list[Wait]]:
    """How long champions that are truly worse stay, per rule."""
    starts = _worse_by(streams, gain)
    chosen = np.random.default_rng(0).permutation(len(starts))[:most]
    tasks = [(number, *starts[place]) for number, place in enumerate(chosen)]
    with workers(streams, rules) as pool:
        found = list(pool.map(_waited, tasks))
    return {rule.name: [each[rule.name] for each in found] for rule in rules}


def _worse_by(streams: Streams, gain: float) -> list[tuple[Key, int, int, float]]:
    """Champions that are worse than the models of a month, with the month's stream and start."""
    found = []
    for stream in range(streams.streams):
        for start in range(0, streams.days, _DAYS_OF_A_MONTH):
            month = range(start + 1, min(start + _DAYS_OF_A_MONTH, streams.days) + 1)
            goodness = np.mean(
                [streams.models[stream, f"day-{day:03}"].goodness[_VARIANT] for day in month]
            )
            found += [
                (key, stream, start, float(goodness - model.goodness[_VARIANT]))
                for key, model in streams.models.items()
                # The models of the same stream resemble the challengers more than others do.
                if not (key[0] == stream and key[1].startswith("day-"))
                and abs(goodness - model.goodness[_VARIANT] - gain) <= _NEAR
            ]
    return found


def _waited(task: tuple[int, Key, int, int, float]) -> dict[str, Wait]:
    streams, rules = _in_worker()
    number, champion, stream, start, gain = task
    history = streams.history(stream, 1_000 + number, start)
    found = {}
    for rule in rules:
        outcomes = history.walk(rule, champion, _AGE_DAYS, PATIENCE_DAYS)
        days = len(outcomes) if outcomes[-1].promoted else PATIENCE_DAYS + 1
        found[rule.name] = Wait((stream, start), gain, days)
    return found


def _in_worker() -> tuple[Streams, Sequence[Rule]]:
    streams, rules = shared()
    assert isinstance(streams, Streams)
    assert isinstance(rules, Sequence)
    draw_once()
    return streams, rules


def blocked(streams: Streams, size: int, draws: int) -> dict[str, list[list[tuple[bool, bool]]]]:
    """Whether a floor blocks a model, and whether one of those that do is truly missed.

    Returns:
        By value, as before issue 14, and beyond doubt: a list per model, a pair per draw.
    """
    rng = np.random.default_rng(size)
    judged = streams.world.judged
    found: dict[str, list[list[tuple[bool, bool]]]] = {"by value": [], "beyond doubt": []}
    for model in streams.daily()[::5]:
        classes = model.classes[_VARIANT]
        truth = {each.what: each.value for each in true_floors(streams.world, classes)}
        cases: dict[str, list[tuple[bool, bool]]] = {name: [] for name in found}
        for _ in range(draws):
            customers = rng.integers(len(judged), size=size)
            reached = floors(
                rows_of(streams.world, customers), classes[customers], None, GateRules()
            )
            for name, seen in (("by value", by_value(reached)), ("beyond doubt", reached)):
                missed = [each for each in seen if each.verdict == FloorVerdict.below]
                truly = any(truth[each.what] < each.least for each in missed)
                cases[name].append((bool(missed), truly))
        for name, each in cases.items():
            found[name].append(each)
    return found


@dataclass(frozen=True)
class Sharpened:
    """How often the guard sees a champion that is worse only in its probabilities.

    Attributes:
        power: To which its probabilities are raised, before they are divided by their sum.
        challenger: Log-loss of the challengers, on all customers.
        champion: Of the champions.
        error: Expected calibration error of the champions.
        seen: Per number of rows and pair of models, whether the guard sees it, per draw.
    """

    power: float
    challenger: float
    champion: float
    error: float
    seen: Mapping[int, list[list[bool]]]


def sharpened(streams: Streams, powers: Sequence[float], pairs: int, draws: int) -> list[Sharpened]:
    """Champions whose classes are untouched, and whose probabilities are too sure."""
    with workers(streams, []) as pool:
        return list(pool.map(_sharpened, [(power, pairs, draws) for power in powers]))


def _sharpened(task: tuple[float, int, int]) -> Sharpened:
    streams, _ = _in_worker()
    power, pairs, draws = task
    rng = np.random.default_rng(0)
    truth = streams.world.judged[schema.TARGET]
    daily = streams.daily()
    losses, seen = [], {size: [] for size in SIZES}  # type: ignore[var-annotated]
    for _ in range(pairs):
        challenger, champion = (daily[place] for place in rng.permutation(len(daily))[:2])
        raised = champion.probabilities**power
        sure = raised / raised.sum(axis=1, keepdims=True)
        losses.append(
            (
                challenger.log_loss,
                probability_log_loss(truth, sure),
                expected_calibration_error(truth, sure),
            )
        )
        for size in SIZES:
            verdicts = []
            for _ in range(draws):
                customers = rng.integers(len(truth), size=size)
                compared = compare_probabilities(
                    rows_of(streams.world, customers),
                    challenger.probabilities[customers],
                    sure[customers],
                    GateRules(),
                )
                verdicts.append(compared.verdict == Reliability.champion_worse)
            seen[size].append(verdicts)
    theirs, ours, error = map(float, np.mean(losses, axis=0))
    return Sharpened(power, challenger=theirs, champion=ours, error=error, seen=seen)


def apart(streams: Streams, variant: str) -> dict[str, list[float]]:
    """The share of all customers to whom two models give different classes, by how they relate."""
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {
        "of consecutive days": [],
        "30 days apart": [],
        "of two streams": [],
        "that share no customer": [],
    }
    for stream in range(streams.streams):
        one, two = (streams.models[stream, recipe.name] for recipe in halves())
        found["that share no customer"].append(_differing(one, two, variant))
        other = (stream + 1) % streams.streams
        for day in range(streams.days + 1):
            drawn = int(rng.integers(streams.days + 1))
            for name, key in (
                ("of consecutive days", (stream, day + 1)),
                ("30 days apart", (stream, day + _DAYS_OF_A_MONTH)),
                ("of two streams", (other, drawn)),
            ):
                ours = streams.models[stream, f"day-{day:03}"]
                theirs = streams.models.get((key[0], f"day-{key[1]:03}"))
                if theirs:
                    found[name].append(_differing(ours, theirs, variant))
    return {name: shares for name, shares in found.items() if shares}


def _differing(one: Model, two: Model, variant: str) -> float:
    return float((one.classes[variant] != two.classes[variant]).mean())
