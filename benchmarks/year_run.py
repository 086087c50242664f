"""One simulated year: requests, labels and mornings, day by day."""

import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.year_alarms import CLASSES, Alarm
from benchmarks.year_decisions import Decisions, Holdouts
from benchmarks.year_log import DayFigures, Deed, YearLog
from benchmarks.year_models import YearModel, train
from benchmarks.year_naive import NaiveMonitor
from benchmarks.year_store import YearStore
from benchmarks.year_watch import Watching, artifacts_in
from benchmarks.year_world import Scenario, World, date_of, morning_after, number_of, sent
from credit_ct_dagster.contracts.decision import PROBATION, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.triggers import Retraining, TriggerKind, Watch
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.watching.retraining import retraining_for
from credit_ct_dagster.partitions import LabelWindow

_WINDOWS = 3
"""Whose holdouts the gate pools."""
_REPAIR_DAYS = 2
"""From the day whose features are wrong to the first one on which the feed is right again: the
alert comes on the morning between."""
_REGAINED = 0.5
_SLIGHTLY = 0.04
"""By how much accuracy the model of the slightly worse promotion is worse, at least."""
_SPOILED = tuple(share / 10 for share in range(2, 11))
"""Shares of wrongly joined labels that are tried for it, until it is."""
_TRAIN_SHARE, _VAL_SHARE = 0.70, 0.15


def simulate(task: tuple[Scenario, int]) -> YearLog:
    """Live a year.

    Args:
        task: What goes wrong when, and the seed.
    """
    scenario, seed = task
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="credit-ct-year-") as folder:
        year = _Year.begin(World.of(scenario, seed), Path(folder))
        for number in range(1, scenario.days + 1):
            year.day(number)
        log = year.end()
    log.cpu_seconds = time.process_time() - started
    return log


@dataclass
class _Year:
    world: World
    store: YearStore
    watching: Watching
    decisions: Decisions
    naive: NaiveMonitor
    log: YearLog
    holdouts: dict[str, Holdouts]
    repaired: int
    past: list[Retraining] = field(default_factory=list)
    estimated: dict[int, float] = field(default_factory=dict)
    _known: dict[tuple[str, bool], np.ndarray] = field(default_factory=dict)

    @classmethod
    def begin(cls, world: World, folder: Path) -> "_Year":
        """The first champion learns from the labels of the days before."""
        scenario = world.scenario
        store = YearStore(world, folder)
        store.begin()
        decisions, holdouts = Decisions(), dict[str, Holdouts]()
        model = train(store.training_rows(0), date_of(0), 1)
        decisions.begin(model, morning_after(0))
        return cls(
            world=world,
            store=store,
            watching=Watching(store, artifacts_in(str(folder / "artifacts")), decisions, holdouts),
            decisions=decisions,
            naive=NaiveMonitor(model.splits["train"]),
            log=YearLog(world.seed, scenario, world.moved()),
            holdouts=holdouts,
            repaired=scenario.unit + scenario.unit_lasts,
        )

    def day(self, number: int) -> None:
        """A day, and the morning after it."""
        scenario = self.world.scenario
        if number == scenario.mild:
            self._promote_slightly_worse(number)
        elif number == scenario.mild + scenario.mild_lasts:
            self._take_back(number)
        elif number == scenario.promotion:
            self._promote_badly(number)
        requests = self.world.requests(number)
        asked = requests.asked(months_are_years=self._months_are_years(number))
        champion = self.decisions.champion
        scored = self.store.serve(requests, champion, asked)
        if self.naive.reference is not champion.splits["train"]:
            self.naive.compare_with(champion.splits["train"])
        self.naive.answered(requests, scored.classes)
        self.store.receive(number)
        self.log.days.append(
            DayFigures(number, len(requests.rows), champion.tag, self._truly(champion, number))
        )
        before = len(self.decisions.records)
        morning = self.watching.measure(number)
        self._note_decisions(number, before)
        estimate = self.watching.estimated[date_of(number)].of(champion.tag)
        if estimate and estimate.answers:
            self.estimated[number] = estimate.answers.accuracy.value
        self.log.alarms += [
            Alarm(number, each.kind, each.sentence, each.champion)
            for each in morning.watch.triggers
        ]
        self.log.alarms += [Alarm(number, CLASSES, each) for each in morning.classes]
        self.naive.watch(number, asked)
        self._repair(number, morning.watch)
        trigger = retraining_for(morning.watch, date_of(number), self.past)
        if not isinstance(trigger, str):
            self.past.append(Retraining.of(trigger, date_of(number)))
            self._retrain(number, trigger.kind)

    def end(self) -> YearLog:
        """What happened, with what labels said in the end."""
        for each in self.log.days:
            found = self.watching.performance[date_of(each.number)].of(each.champion)
            if found and found.metrics:
                accuracy = found.metrics.accuracy
                each.measured = (accuracy.value, accuracy.low, accuracy.high)
            each.estimated = self.estimated.get(each.number)
        self.log.naive = self.naive.alarms
        self.log.learned = self._learned()
        self.store.close()
        return self.log

    def _months_are_years(self, number: int) -> bool:
        return self.world.scenario.unit <= number < self.repaired

    def _repair(self, number: int, watch: Watch) -> None:
        """Somebody reads the alert, and has the feed corrected within the day."""
        found = watch.of(TriggerKind.skew)
        if found and self._months_are_years(number) and number + _REPAIR_DAYS < self.repaired:
            self.repaired = number + _REPAIR_DAYS
            self.log.deeds.append(Deed(number, "repaired", found.sentence))

    def _promote_slightly_worse(self, number: int) -> None:
        """Some labels that it learned from are wrong: as few as make it slightly worse."""
        now = self.decisions.champion.truly(self.world, number)
        for share in _SPOILED:
            worse = self._spoiled(number, share)
            if worse.truly(self.world, number) <= now - _SLIGHTLY:
                break
        self._force("forced", worse, number, f"{share:.0%} of its training labels are wrong")

    def _promote_badly(self, number: int) -> None:
        bad = self._spoiled(number, 1.0)
        self._force("forced", bad, number, "all of its training labels are wrong")

    def _take_back(self, number: int) -> None:
        """Whoever promoted the slightly worse model sees that, if it still serves."""
        [worse] = self.log.did("forced")
        previous = self.decisions.previous
        if previous and self.decisions.champion.tag == worse.model:
            self._force("taken back", previous, number, "by the person, at last")

    def _spoiled(self, number: int, share: float) -> YearModel:
        rows, version = self.store.training_rows(number - 1), len(self.decisions.models) + 1
        return train(rows, date_of(number - 1), version, spoiled=share)

    def _force(self, what: str, model: YearModel, number: int, sentence: str) -> None:
        gain = self._gain(model, number)
        # After midnight in Seoul: the day is its own.
        self.decisions.force(model, morning_after(number - 1) - timedelta(hours=9))
        self.log.deeds.append(Deed(number - 1, what, sentence, model.tag, gain))

    def _retrain(self, number: int, kind: TriggerKind) -> None:
        """Train the newest base date that has labels, and apply the gate."""
        base_dt = self.store.store.newest_label_date(until=date_of(number))
        assert base_dt is not None
        model = train(
            self.store.training_rows(number_of(base_dt)), base_dt, len(self.decisions.models) + 1
        )
        self.holdouts[base_dt] = self._holdouts(base_dt)
        decision = self.decisions.judge(model, self.holdouts[base_dt])
        gain = self._gain(model, number)
        self.log.deeds.append(
            Deed(number, "retrained", f"because of {kind.value}", model.tag, gain)
        )
        record = self.decisions.record(model, decision, morning_after(number))
        self.log.deeds.append(_deed(number, record, gain))

    def _holdouts(self, base_dt: str) -> Holdouts:
        found = {}
        for _ in range(_WINDOWS):
            rows = self.store.training_rows(number_of(base_dt))
            found[base_dt] = split_by_customer(rows, _TRAIN_SHARE, _VAL_SHARE)["holdout"]
            base_dt = (LabelWindow.of(base_dt).start - timedelta(days=1)).isoformat()
        return found

    def _note_decisions(self, number: int, before: int) -> None:
        """What the probation has decided."""
        for record in self.decisions.records[before:]:
            model = self.decisions.of_run(record.model.mlflow_run_id)
            gain = None
            if record.before and record.before.mlflow_run_id != record.model.mlflow_run_id:
                loser = self.decisions.of_run(record.before.mlflow_run_id)
                gain = self._truly(model, number) - self._truly(loser, number)
            self.log.deeds.append(_deed(number, record, gain))

    def _gain(self, model: YearModel, number: int) -> float:
        return self._truly(model, number) - self._truly(self.decisions.champion, number)

    def _truly(self, model: YearModel, number: int) -> float:
        """The true accuracy on a day, as the feed sends features on it."""
        case = model.tag, self._months_are_years(number)
        if case not in self._known:
            rows = sent(self.world.rows, months_are_years=case[1])
            self._known[case] = model.answers(rows).classes
        return self.world.worth(self._known[case], number)

    def _learned(self) -> int | None:
        """The first day after the drift on which what it cost is regained by half."""
        concept = self.world.scenario.concept
        days = {each.number: each for each in self.log.days}
        if concept not in days:
            return None
        before, after = days[concept - 1], days[concept]
        enough = after.truly + _REGAINED * (before.truly - after.truly)
        # Wrong features say nothing of what a model has learned.
        later = (days[day] for day in days if day > concept and not self._months_are_years(day))
        return next(
            (d.number for d in later if d.champion != after.champion and d.truly >= enough), None
        )


def _deed(number: int, record: DecisionRecord, gain: float | None) -> Deed:
    decision: Decision = record.decision
    what = "not promoted"
    if decision.ground in (Ground.confirmed, Ground.rolled_back):
        what = decision.ground.value
    elif decision.promoted:
        what = "promoted from the shadow" if record.by == PROBATION else "promoted"
    elif record.by != PROBATION and decision.ground in (
        Ground.insufficient_evidence,
        Ground.no_agreement,
    ):
        what = "kept in the shadow"
    return Deed(number, what, decision.sentence, record.model.bentoml_tag, gain)
