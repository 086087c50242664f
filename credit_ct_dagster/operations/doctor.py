"""Whether everything the platform talks to is as it should be."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._daemon.controller import get_daemon_statuses
from rich.filesize import decimal

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.study_storage import StudyStorage

MIN_FREE_BYTES = 1_000_000_000
"""A base date takes a few megabytes; the rest is for what else lies on that disk."""

_HEARTBEAT_SECONDS = 120
_PASSWORD = re.compile(r"//[^@/\s]*@")

_Check = Callable[[], str]
Instigator = dg.ScheduleDefinition | dg.SensorDefinition


class State(StrEnum):
    """How a check ended."""

    ok = "ok"
    failed = "failed"
    skipped = "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        subject: What was checked.
        state: How it ended.
        says: What was found; of a failure, the way out too.
    """

    subject: str
    state: State
    says: str


@dataclass(frozen=True)
class Examination:
    """Checks one thing after another, and leaves all as it is.

    Attributes:
        store: The feature store.
        studies: Optuna's storage.
        promotions: MLflow, the packages, the artifacts and who is the champion.
        instance: Opens the Dagster instance.
        instigators: The schedules and sensors that should be on.
    """

    store: FeatureStore
    studies: StudyStorage
    promotions: Promotions
    instance: Callable[[], AbstractContextManager[dg.DagsterInstance]]
    instigators: Sequence[Instigator]

    def findings(self) -> Iterator[Finding]:
        """Run the checks; what needs something that failed is skipped."""
        for group in self._groups():
            failed: str | None = None
            for subject, check in group.items():
                if failed:
                    yield Finding(subject, State.skipped, f"not checked: {failed} failed")
                    continue
                finding = _examine(subject, check)
                if finding.state == State.failed:
                    failed = subject
                yield finding

    def _groups(self) -> list[dict[str, _Check]]:
        """The checks; within a group, each needs those before it."""
        return [
            {
                "feature store": lambda: f"{self.store.server_version()} at {self.store.location}",
                "source tables": self._source_tables,
                "rights": lambda: ", ".join(self.store.require_rights()),
                "SQL mode": self.store.require_strict_mode,
            },
            {"Optuna": self._optuna},
            {"artifacts": self._artifacts},
            {"BentoML": self._bentoml},
            {"MLflow": self.promotions.tracking.probe, "champion": self.promotions.agreement},
            {
                "Dagster": self._dagster,
                "schedules and sensors": self._schedules_and_sensors,
                "daemon": self._daemon,
            },
        ]

    def _source_tables(self) -> str:
        self.store.require_source_tables()
        return "labels and features are there"

    def _optuna(self) -> str:
        names = self.studies.names(self.promotions.tracking.model_name)
        return f"{sum(map(len, names.values())):,} studies at {self.studies.location}"

    def _artifacts(self) -> str:
        artifacts = self.promotions.artifacts
        free = artifacts.probe()
        return f"{artifacts.base_path} can be written" + _room(free, "ARTIFACTS_PATH")

    def _bentoml(self) -> str:
        packages = self.promotions.packages
        free = packages.probe()
        held = f"{len(packages.packages()):,} packages; {packages.home} can be written"
        return held + _room(free, "BENTOML_HOME")

    def _dagster(self) -> str:
        with self.instance() as instance:
            return f"{instance.get_runs_count():,} runs in its history"

    def _daemon(self) -> str:
        with self.instance() as instance:
            statuses = get_daemon_statuses(
                instance,
                instance.get_required_daemon_types(),
                ignore_errors=True,
                heartbeat_tolerance_seconds=_HEARTBEAT_SECONDS,
            )
        silent = sorted(kind for kind, status in statuses.items() if not status.healthy)
        if silent:
            raise CreditCtError(
                f"No sign of life for {_HEARTBEAT_SECONDS} s from {', '.join(silent)}: no schedule"
                " or sensor ticks. Start make dev, or dagster-daemon run on a server."
            )
        return f"{len(statuses)} of {len(statuses)} parts give signs of life"

    def _schedules_and_sensors(self) -> str:
        with self.instance() as instance:
            chosen = {state.name: state.status for state in instance.all_instigator_state()}
        off = [each.name for each in self.instigators if not _is_on(each, chosen.get(each.name))]
        if off:
            # `dagster schedule start` finds the embedded instance only by DAGSTER_HOME.
            raise CreditCtError(f"Off: {', '.join(off)}. Switch on in the UI, under Automation.")
        return f"{len(self.instigators)} are on"


def _is_on(instigator: Instigator, chosen: InstigatorStatus | None) -> bool:
    """Whether it ticks: by what a person chose, else by its definition."""
    if chosen in {None, InstigatorStatus.DECLARED_IN_CODE}:
        return instigator.default_status.value == "RUNNING"
    return chosen == InstigatorStatus.RUNNING


def _room(free: int | None, variable: str) -> str:
    if free is None:
        return ""
    if free < MIN_FREE_BYTES:
        raise CreditCtError(
            f"Only {decimal(free)} are free below {variable}, less than {decimal(MIN_FREE_BYTES)}:"
            " delete old base dates (credit-ct prune), or make room on the disk."
        )
    return f", {decimal(free)} free"


def _examine(subject: str, check: _Check) -> Finding:
    try:
        return Finding(subject, State.ok, check())
    except CreditCtError as error:
        return Finding(subject, State.failed, " ".join(str(error).split()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the rest checked
        said = next(iter(str(error).splitlines()), "")
        said = _PASSWORD.sub("//***@", f"{type(error).__name__}: {said}")
        return Finding(subject, State.failed, f"{said}. Look up {subject} in docs/runbook.md.")
