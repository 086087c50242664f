"""What a health record is made from: records, volumes, the service and the decisions."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, TypeVar

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import HEALTH_FILE, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import (
    AnswerVolume,
    HealthRecord,
    Latency,
    ServedChampion,
    ServiceState,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.days import days_before
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.evidence.earlier_days import records_before
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.modeling.watching.health import HealthRules, Measured
from credit_ct_dagster.modeling.watching.health_figures import (
    days_until,
    figures_of,
    volumes_per_source,
)
from credit_ct_dagster.modeling.watching.triggers import watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.partitions import Calendar, end_of

if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers

_ASSETS: dict[type[Record], str] = {
    ServedPerformance: "served_performance",
    EstimatedPerformance: "estimated_performance",
    ServingSkew: "serving_skew",
    ProbationRecord: "champion_probation",
}
_R = TypeVar("_R", ServedPerformance, EstimatedPerformance, ServingSkew, ProbationRecord)


@dataclass(frozen=True)
class HealthSources:
    """Where a health record comes from.

    Attributes:
        artifacts: Hold the records of prediction days.
        promotions: Know the champion and every decision.
        answers: Count what was answered.
        service: Is asked how it is.
        calendar: Knows which day is the newest one.
        log: Of the run.
    """

    artifacts: ArtifactsIOManager
    promotions: Promotions
    answers: "ServedAnswers"
    service: Service
    calendar: Calendar
    log: logging.Logger

    def measured(self, day: str, rules: HealthRules, now: datetime) -> Measured:
        """All that is known of a prediction day.

        Args:
            day: The prediction day.
            rules: How far to look back, and what is judged by.
            now: With a time zone.

        Raises:
            UnavailableError: A store does not answer; that the service does not is a sentence.
            CreditCtError: A decision cannot be read, or MLflow refuses.
        """
        missing: dict[str, str] = {}
        performance = self._records(ServedPerformance, day, rules, missing)
        estimated = self._records(EstimatedPerformance, day, rules, missing)
        skew = self._records(ServingSkew, day, rules, missing)
        probation = self._record_of_day(ProbationRecord, day, missing)
        volumes = self._volumes_until(day, rules.look_back_days)
        known = days_until(day, [*volumes, *performance, *estimated, *skew], rules.look_back_days)
        days = figures_of(known, volumes, performance, estimated, skew)
        decisions = self.promotions.records()
        champion, service = self._serving(day, decisions, now)
        return Measured(
            day=day,
            champion=champion,
            service=service,
            days=days,
            performance=performance,
            estimated=estimated,
            skew=skew,
            probation=probation,
            watch=watch(
                Watched(
                    day=day,
                    champion=champion.bentoml_tag if champion else None,
                    performance=performance,
                    estimated=estimated,
                    skew=skew,
                    probation=probation,
                    volumes=volumes_per_source(days),
                ),
                rules,
            ),
            missing=missing,
            decisions=decisions,
        )

    def before(self, day: str) -> HealthRecord | None:
        """The health record of the day before; None if there is none that can be read."""
        return self._newest_before(day, days_before(day, 1))

    def _newest_before(self, day: str, first: str) -> HealthRecord | None:
        """The newest health record before a day, of the days from the first one on."""
        for each, folder in reversed([*self.artifacts.open_all(MONITORING_FOLDER)]):
            if not first <= each < day or HEALTH_FILE not in folder:
                continue
            try:
                return folder.read(HealthRecord)
            except UnavailableError:
                raise
            except CreditCtError as error:
                self.log.warning(f"The health record of {each} is left out: {error}")
        return None

    def _volumes_until(self, day: str, days: int) -> dict[str, tuple[AnswerVolume, ...]]:
        """Answers per day; counted are those from the day of the newest earlier record on.

        To count the log of two months takes a database minutes. What a spool held back for a while
        is counted with the day after.
        """
        first = days_before(day, days - 1)
        newest = self._newest_before(day, first)
        if newest is None:
            return _volumes(self.answers.volumes(first, day))
        known = {
            each.day: each.volumes
            for each in newest.days
            if each.volumes and first <= each.day < newest.base_dt
        }
        return known | _volumes(self.answers.volumes(newest.base_dt, day))

    def _records(
        self, record: type[_R], day: str, rules: HealthRules, missing: dict[str, str]
    ) -> dict[str, _R]:
        """Per prediction day, this one among them."""
        earlier = records_before(self.artifacts, record, day, rules.look_back_days - 1, self.log)
        found = {each.base_dt: each for each in earlier}
        own = self._record_of_day(record, day, missing)
        return found if own is None else {**found, day: own}

    def _record_of_day(self, record: type[_R], day: str, missing: dict[str, str]) -> _R | None:
        try:
            return self.artifacts.open(MONITORING_FOLDER, day).read(record)
        except UnavailableError:
            raise
        except MissingArtifactError:
            missing[_ASSETS[record]] = "it was not made."
        except CreditCtError as error:
            missing[_ASSETS[record]] = error.sentence
        return None

    def _serving(
        self, day: str, decisions: list[DecisionRecord], now: datetime
    ) -> tuple[ServedChampion | None, ServiceState]:
        """The champion and the service: of now for the newest day, else as they were recorded."""
        if day >= self.calendar.newest(now):
            champion = _champion(self.promotions.champion(), decisions)
            return champion, self.service.state(now)
        try:
            recorded = self.artifacts.open(MONITORING_FOLDER, day).read(HealthRecord)
        except UnavailableError:
            raise
        except CreditCtError:
            state = ServiceState(
                url=self.service.url_without_password,
                asked_at=now,
                is_expected=self.service.is_expected,
                status="not asked",
            )
            return self._champion_on(day, decisions), state
        return recorded.champion, recorded.service

    def _champion_on(self, day: str, decisions: list[DecisionRecord]) -> ServedChampion | None:
        """The champion when a day ended; that of now, if the day is older than all decisions."""
        known = [each for each in decisions if each.time < end_of(day)]
        promoted = [each.model for each in known if each.decision.promoted]
        return _champion(promoted[-1] if promoted else self.promotions.champion(), known)


def _champion(
    model: ModelIdentity | None, decisions: Iterable[DecisionRecord]
) -> ServedChampion | None:
    """A model that serves, and the decision that made it the champion."""
    if model is None:
        return None
    promoted = [
        each
        for each in decisions
        if each.decision.promoted and each.model.mlflow_run_id == model.mlflow_run_id
    ]
    return ServedChampion(
        base_dt=model.base_dt,
        bentoml_tag=model.bentoml_tag,
        registered_version=model.registered_version,
        since=promoted[-1].time if promoted else None,
        by=promoted[-1].by if promoted else None,
    )


def _volumes(frame: "pd.DataFrame") -> dict[str, tuple[AnswerVolume, ...]]:
    """Answers per day, from what the database counted."""
    found: dict[str, list[AnswerVolume]] = {}
    for row in frame.to_dict("records"):
        p50, p95, p99 = (float(row[name]) for name in columns.LATENCIES.values())
        found.setdefault(str(row[columns.DAY]), []).append(
            AnswerVolume(
                source=row[columns.SOURCE],
                model_tag=row[columns.MODEL_TAG],
                classes={name: int(row[column]) for name, column in columns.COUNTS.items()},
                latency=None if isnan(p95) else Latency(p50=p50, p95=p95, p99=p99),
            )
        )
    return {day: tuple(each) for day, each in found.items()}
