"""Whether everything the platform depends on works."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

import dagster as dg
from rich.filesize import decimal

from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.operation import (
    AutomationOffError,
    DaemonSilentError,
    UnexpectedError,
)
from credit_ct_dagster.errors.stores import LowDiskSpaceError, ReadableByOthersError
from credit_ct_dagster.makefile import command_of
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs import dagster_internals

MIN_FREE_BYTES = 1_000_000_000
"""A base date takes a few megabytes; the rest is for whatever else uses that disk."""

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
        state: How the check ended.
        message: What was found; for a failure, also what to do.
        code: Of a failure; its section in docs/runbook.md.
    """

    subject: str
    state: State
    message: str
    code: str | None = None


@dataclass(frozen=True)
class Examination:
    """Runs one check after another, and changes nothing.

    Attributes:
        store: The feature store.
        studies: Optuna's storage.
        promotions: MLflow, the packages, the artifacts and the champion.
        instance: Opens the Dagster instance.
        instigators: The schedules and sensors that should be on.
        optional: Those that may be off.
        service: Answers over HTTP; None is not asked.
        excluded_features: What the champion must not use.
    """

    store: FeatureStore
    studies: StudyStorage
    promotions: Promotions
    instance: Callable[[], AbstractContextManager[dg.DagsterInstance]]
    instigators: Sequence[Instigator]
    optional: Sequence[Instigator] = ()
    service: Service | None = None
    excluded_features: Sequence[str] = ()

    def findings(self) -> Iterator[Finding]:
        """Run the checks; those that depend on a failed one are skipped."""
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
        """The checks; within a group, each depends on those before it."""
        return [
            {
                "feature store": self._feature_store,
                "source tables": self._source_tables,
                "keys and types": lambda: database_checks.require_suitable_tables(self.store),
                "rights": lambda: ", ".join(database_checks.require_rights(self.store)),
                "SQL mode": lambda: database_checks.require_strict_mode(self.store),
                "tables of answers": lambda: database_checks.require_answer_tables(self.store),
                "arrivals": lambda: database_checks.require_arrivals(self.store),
            },
            {"Optuna": self._optuna},
            {"artifacts": self._artifacts, "private files": self._private_files},
            {"BentoML": self._bentoml},
            {"decisions": self.promotions.decisions.verify},
            {"MLflow": self.promotions.tracking.probe, "champion": self._champion},
            {
                "Dagster": self._dagster,
                "schedules and sensors": self._schedules_and_sensors,
                "daemon": self._daemon,
            },
            {"service": self.service.require_healthy} if self.service else {},
        ]

    def _feature_store(self) -> str:
        return f"{database_checks.server_version(self.store)} at {self.store.location}"

    def _source_tables(self) -> str:
        database_checks.require_source_tables(self.store)
        return "the tables of labels and features exist"

    def _optuna(self) -> str:
        names = self.studies.names(self.promotions.tracking.model_name)
        held = _counted(sum(map(len, names.values())), "study", "studies")
        return f"{held} at {self.studies.location}"

    def _artifacts(self) -> str:
        artifacts = self.promotions.artifacts
        free = artifacts.probe()
        return f"{artifacts.base_path} can be written" + _free_space(free, "ARTIFACTS_PATH")

    def _private_files(self) -> str:
        found = self.promotions.artifacts.readable_by_others()
        database = self.store.database.file
        if database and database.exists() and database.stat().st_mode & 0o044:
            found.append(database)
        if found:
            raise ReadableByOthersError(
                f"Other users of this machine can read rows of customers in {len(found):,} files,"
                f" such as {found[0]}. Take that right away: chmod go= {found[0].parent}/*"
                + (" (and in the other folders)." if len(found) > 1 else ".")
            )
        return "rows of customers are readable by this user only"

    def _bentoml(self) -> str:
        packages = self.promotions.packages
        free = packages.probe()
        broken = packages.broken()
        if broken:
            raise broken[0]
        held = _counted(len(packages.packaged()), "package", "packages")
        return f"{held}; {packages.home} can be written" + _free_space(free, "BENTOML_HOME")

    def _champion(self) -> str:
        agreed = self.promotions.agreement()
        self.promotions.require_allowed_features(self.excluded_features)
        return agreed

    def _dagster(self) -> str:
        with self.instance() as instance:
            return f"{_counted(instance.get_runs_count(), 'run', 'runs')} in its history"

    def _daemon(self) -> str:
        with self.instance() as instance:
            signs = dagster_internals.daemon_signs(instance, _HEARTBEAT_SECONDS)
        silent = sorted(kind for kind, healthy in signs.items() if not healthy)
        if silent:
            raise DaemonSilentError(
                f"No sign of life for {_HEARTBEAT_SECONDS} s from {', '.join(silent)}: no schedule"
                f" or sensor ticks. Start {command_of('dev')}, or dagster-daemon run on a server."
            )
        return f"{len(signs)} of {len(signs)} daemons show signs of life"

    def _schedules_and_sensors(self) -> str:
        with self.instance() as instance:
            switched = dagster_internals.switched_instigators(instance)
        off, may_be_off = (
            [each.name for each in group if not _is_on(each, switched.get(each.name))]
            for group in (self.instigators, self.optional)
        )
        if off:
            # `dagster schedule start` finds the embedded instance only by DAGSTER_HOME.
            raise AutomationOffError(
                f"Switched off: {', '.join(off)}. Switch them on in the UI, under Automation."
            )
        known = len(self.instigators) + len(self.optional)
        if not may_be_off:
            return f"all {known} are switched on"
        on = known - len(may_be_off)
        return f"{on} of {known} are switched on; off, as they may be: {', '.join(may_be_off)}"


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _is_on(instigator: Instigator, switched: bool | None) -> bool:
    """Whether it ticks: as a person switched it, otherwise by its definition."""
    return instigator.default_status.value == "RUNNING" if switched is None else switched


def _free_space(free: int | None, variable: str) -> str:
    if free is None:
        return ""
    if free < MIN_FREE_BYTES:
        raise LowDiskSpaceError(
            f"Only {decimal(free)} are free below {variable}, less than {decimal(MIN_FREE_BYTES)}."
            " Delete old base dates (credit-ct prune), or free disk space."
        )
    return f", {decimal(free)} free"


def _examine(subject: str, check: _Check) -> Finding:
    try:
        return Finding(subject, State.ok, check())
    except CreditCtError as error:
        return Finding(subject, State.failed, " ".join(str(error).split()), error.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the rest checked
        cause = next(iter(str(error).splitlines()), "")
        cause = _PASSWORD.sub("//***@", f"{type(error).__name__}: {cause}")
        unexpected = UnexpectedError(f"{cause}. Look up {subject} under credit-ct doctor.")
        return Finding(subject, State.failed, str(unexpected), unexpected.code)
