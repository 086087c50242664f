"""What the platform measures of the simulated year, by its own modules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import pandas as pd

from benchmarks.year_decisions import Decisions, Holdouts
from benchmarks.year_models import MODEL_NAME
from benchmarks.year_promotions import YearJudge, YearPromotions, evaluated
from benchmarks.year_store import YearStore
from benchmarks.year_world import date_of, morning_after
from credit_ct_dagster.contracts.files import (
    MONITORING_FOLDER,
    PROBATION_FILE,
    SHADOW_SCORES_FILE,
)
from credit_ct_dagster.contracts.health import AnswerVolume, DayFigures, Severity
from credit_ct_dagster.contracts.probation import ProbationPolicy, ProbationRecord, Role
from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.contracts.triggers import Retrain, Watch
from credit_ct_dagster.decisions.tenures import challengers_on, probation_on
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.answer_health import class_sentences
from credit_ct_dagster.modeling.watching.columns import COUNTS, KEY, MODEL_TAG, PREDICTED, SOURCE
from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.health_figures import (
    days_until,
    figures_of,
    volumes_per_source,
)
from credit_ct_dagster.modeling.watching.paired import SHADOW_COLUMNS
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules, PerformanceRules
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.modeling.watching.skew import feature_skew, served_drift
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster.modeling.watching.triggers import watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules

WATCH_RULES = WatchRules(retrain=Retrain.bank)
"""The defaults; only trainings that triggers start are switched on."""
PROBATION_RULES = ProbationRules(probation=ProbationPolicy.rollback)
"""The defaults; only the rollback is switched on."""
_AGES = (30, 21, 18)
"""At which ages a day is measured again. The platform does so whenever labels have arrived, every
day up to 62; so it notices what labels show some days earlier than this year does."""
_LOOK_BACK = 62
_PERFORMANCE, _ESTIMATION = PerformanceRules(draws=200), EstimationRules(draws=200)
"""The defaults, but for a fifth of the draws, which take half of the time."""
_SKEW = SkewRules()


@dataclass(frozen=True)
class Morning:
    """What a morning found.

    Attributes:
        watch: By the rules over the records of the last days.
        probation: Of the champion.
        classes: What was said of answers that were of other classes than before.
    """

    watch: Watch
    probation: ProbationRecord
    classes: Sequence[str]


@dataclass
class Watching:
    """Measures a day on the morning after it, and earlier ones again.

    Attributes:
        store: Where answers and labels are.
        artifacts: Where shadow scores and evaluations are.
        decisions: The champion.
        holdouts: Those that the gate had, per base date.
    """

    store: YearStore
    artifacts: ArtifactsIOManager
    decisions: Decisions
    holdouts: dict[str, Holdouts]
    performance: dict[str, ServedPerformance] = field(default_factory=dict)
    estimated: dict[str, EstimatedPerformance] = field(default_factory=dict)
    skew: dict[str, ServingSkew] = field(default_factory=dict)
    volumes: dict[str, tuple[AnswerVolume, ...]] = field(default_factory=dict)

    def measure(self, number: int) -> "Morning":
        """Measure a day that has ended, and take the decisions that follow from labels."""
        day, now = date_of(number), morning_after(number)
        for earlier in (number - age for age in (*_AGES, 0)):
            if earlier >= 1:
                self._measure_answers(date_of(earlier), now)
        self.skew[day] = self._skew_of(day)
        self._score_in_shadow(day)
        probation = evaluated(
            YearPromotions(self.decisions, now),
            YearJudge(self.decisions, self.holdouts),
            self.artifacts,
            self.store.answers,
            PROBATION_RULES,
            day,
        )
        self.artifacts.write(MONITORING_FOLDER, day, {PROBATION_FILE: probation})
        first, days = date_of(number - _LOOK_BACK), self._days(number)
        watched = Watched(
            day=day,
            champion=self.decisions.champion.tag,
            performance=_since(self.performance, first),
            estimated=_since(self.estimated, first),
            skew=_since(self.skew, first),
            probation=probation,
            volumes=volumes_per_source(days),
        )
        classes = [each for each in class_sentences(days) if each.severity == Severity.warning]
        return Morning(watch(watched, WATCH_RULES), probation, [each.text for each in classes])

    def _measure_answers(self, day: str, now: datetime) -> None:
        frame = self.store.answers.of_day(day)
        earlier = [each for other, each in self.estimated.items() if other < day][-_LOOK_BACK:]
        models = self.decisions.models.values()
        learned = {each.tag: each.identity.base_dt for each in models}
        self.performance[day] = served_performance(day, frame, _PERFORMANCE, now, learned)
        self.estimated[day] = estimated_performance(day, frame, _ESTIMATION, now, earlier, learned)

    def _skew_of(self, day: str) -> ServingSkew:
        """As the asset `serving_skew` has it."""
        champion = self.decisions.champion
        found = self.store.answers.beside_the_store(day, most_rows=_SKEW.most_rows)
        served = self.store.answers.features_of_day(day, most_rows=_SKEW.most_rows)
        return ServingSkew(
            base_dt=day,
            limit=_SKEW.max_disagreeing_share,
            confidence=_SKEW.confidence,
            requests=found.requests,
            without_customer=found.without_customer,
            not_in_store=found.without_row,
            compared=len(found.served),
            customers=found.customers.nunique(),
            features=feature_skew(found.served, found.stored, found.customers, _SKEW),
            drift=served_drift(served, champion.splits["train"], _SKEW),
            trained_on=champion.identity.base_dt,
        )

    def _score_in_shadow(self, day: str) -> None:
        """As the asset `shadow_scores` does it."""
        records = self.decisions.records
        on_probation, _ = probation_on(records, day, PROBATION_RULES)
        models = [(Role.previous, on_probation.previous)] if on_probation else []
        models += [
            (Role.challenger, each.model)
            for each in challengers_on(records, day, PROBATION_RULES)
            if each.since <= day <= each.until
        ]
        if not models:
            return
        rows = self.store.answers.features_of_day(day, most_rows=PROBATION_RULES.most_rows)
        frames = []
        for role, model in models:
            scorer = self.decisions.of_run(model.mlflow_run_id).scorer
            answers = scorer.answer_rows(rows).rename(columns={"credit_score": PREDICTED})
            named = {MODEL_TAG: model.bentoml_tag, "role": role.value}
            frames.append(rows[[SOURCE, KEY, schema.CUSTOMER]].join(answers).assign(**named))
        scored = pd.concat(frames, ignore_index=True)[SHADOW_COLUMNS]
        self.artifacts.write(MONITORING_FOLDER, day, {SHADOW_SCORES_FILE: scored})

    def _days(self, number: int) -> list[DayFigures]:
        """What the database counted of the answers of a day, and of the weeks before."""
        day = date_of(number)
        self.volumes[day] = tuple(
            AnswerVolume(
                source=row["source"],
                model_tag=row["model_tag"],
                classes={name: int(row[column]) for name, column in COUNTS.items()},
            )
            for row in self.store.answers.volumes(day, day).to_dict("records")
        )
        volumes = _since(self.volumes, date_of(number - _LOOK_BACK + 1))
        return figures_of(days_until(day, volumes, _LOOK_BACK), volumes, {}, {}, {})


_R = TypeVar("_R")


def _since(records: Mapping[str, _R], first: str) -> dict[str, _R]:
    return {day: each for day, each in records.items() if day >= first}


def artifacts_in(folder: str) -> ArtifactsIOManager:
    """Where the year's files are."""
    return ArtifactsIOManager(base_path=folder, model_name=MODEL_NAME)
