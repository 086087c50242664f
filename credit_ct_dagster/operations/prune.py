"""How long base dates are retained, in every store but the feature store.

A base date is deleted or retained as a whole. It is retained while its model serves, served before,
or carries any alias in MLflow, and while one of its runs has not ended.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import dagster as dg

from credit_ct_dagster.contracts.files import (
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    SCORES_FOLDER,
)
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.operations.prune_plan import Amount, Outcome, Plan
from credit_ct_dagster.partitions import Calendar, exists, last_expired
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.mlflow.removal import RemovableRuns
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.history import RunHistory

logger = logging.getLogger(__name__)

_FOLDERS = (PREPROCESSING_FOLDER, SCORES_FOLDER, MODEL_FOLDER)


class _Store(Protocol):
    """One store, as far as retention is concerned."""

    name: str

    def base_dates(self) -> Iterable[str]:
        """The base dates of which it holds anything."""
        ...

    def amount(self, base_dt: str) -> Amount:
        """How much it holds of a base date."""
        ...

    def remove(self, base_dt: str) -> None:
        """Delete that; after a kill, the base date is still listed."""
        ...


class Retention:
    """One rule for artifacts, packages, MLflow, studies and Dagster's history."""

    def __init__(
        self,
        promotions: Promotions,
        studies: StudyStorage,
        calendar: Calendar,
        instance: dg.DagsterInstance,
    ) -> None:
        self._promotions = promotions
        self._calendar = calendar
        self._history = RunHistory(instance, promotions.tracking.model_name)
        runs = RemovableRuns(promotions.tracking)
        self.deletes_mlflow_runs_permanently = runs.deletes_permanently
        # In this order, whatever remains after a kill has all that it refers to: a study names
        # MLflow runs, and a registered version its package and its run.
        self._stores: list[_Store] = [
            _Studies(studies, promotions.tracking.model_name),
            _Versions(ModelRegistry(promotions.tracking)),
            _Packages(promotions.packages),
            _Artifacts(promotions.artifacts),
            _MlflowRuns(runs),
            _DagsterRuns(self._history),
        ]

    def plan(self, keep_days: int) -> Plan:
        """List what is older than a number of days, counted from the newest base date.

        Raises:
            UnavailableError: A store does not answer.
        """
        limit = last_expired(self._calendar.newest(), keep_days)
        assert limit is not None
        held = {base_dt for store in self._stores for base_dt in store.base_dates()}
        old = sorted(base_dt for base_dt in held if exists(base_dt) and base_dt <= limit)
        reasons = self._reasons_to_retain()
        expired = {base_dt: self._amounts(base_dt) for base_dt in old if base_dt not in reasons}
        retained = {base_dt: reasons[base_dt] for base_dt in old if base_dt in reasons}
        return Plan(limit, expired, retained)

    def remove(self, base_dt: str) -> bool:
        """Delete a base date under the lock of decisions, so that its model cannot be promoted.

        Returns:
            Whether it was deleted; it is not if there is a reason to retain it by now.

        Raises:
            UnavailableError: A store does not answer. Started again, it deletes the rest.
        """
        with self._promotions.deciding():
            if base_dt in self._reasons_to_retain():
                return False
            for store in self._stores:
                store.remove(base_dt)
        return True

    def carry_out(self, plan: Plan) -> Iterator[Outcome]:
        """Delete what a plan lists; a base date that cannot be deleted holds up no other.

        Raises:
            UnavailableError: A store does not answer. Started again, it deletes the rest.
        """
        for base_dt in plan.expired:
            try:
                yield Outcome(base_dt, deleted=self.remove(base_dt))
            except UnavailableError:
                raise
            except CreditCtError as error:
                yield Outcome(base_dt, deleted=False, error=error)

    def broken_packages(self) -> list[str]:
        """Packages that are damaged: of which base date they are is unknown, so they remain."""
        return [str(error) for error in self._promotions.packages.broken()]

    def _reasons_to_retain(self) -> dict[str, str]:
        running = dict.fromkeys(self._history.unfinished(), "one of its runs has not ended")
        return running | self._promotions.needed_base_dates()

    def _amounts(self, base_dt: str) -> dict[str, Amount]:
        amounts = {store.name: store.amount(base_dt) for store in self._stores}
        return {name: amount for name, amount in amounts.items() if amount.items}


class _Studies:
    name = "Optuna studies"

    def __init__(self, storage: StudyStorage, model_name: str) -> None:
        self._storage = storage
        self._names = storage.names(model_name)

    def base_dates(self) -> Iterable[str]:
        return self._names

    def amount(self, base_dt: str) -> Amount:
        return Amount(len(self._names.get(base_dt, [])))

    def remove(self, base_dt: str) -> None:
        for name in self._names.get(base_dt, []):
            self._storage.delete(name, logger)


class _Versions:
    name = "registered versions"

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._versions: dict[str, list[str]] = {}
        for version in registry.versions():
            self._versions.setdefault(version.base_dt, []).append(version.registered_version)

    def base_dates(self) -> Iterable[str]:
        return self._versions

    def amount(self, base_dt: str) -> Amount:
        return Amount(len(self._versions.get(base_dt, [])))

    def remove(self, base_dt: str) -> None:
        for version in self._versions.get(base_dt, []):
            self._registry.delete(version)


class _Packages:
    name = "packages"

    def __init__(self, store: BentoMLStore) -> None:
        self._store = store
        self._paths: dict[str, dict[str, Path]] = {}
        for package in store.packaged():
            self._paths.setdefault(package.identity.base_dt, {})[package.tag] = package.folder

    def base_dates(self) -> Iterable[str]:
        return self._paths

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(
            sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in self._paths.get(base_dt, {}).values()
        )

    def remove(self, base_dt: str) -> None:
        # Also without any package: one that was deleted in part may be listed no longer.
        self._store.remove(self._paths.get(base_dt, []))


class _Artifacts:
    name = "artifacts"

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts
        self._sizes = [artifacts.sizes(folder) for folder in _FOLDERS]

    def base_dates(self) -> Iterable[str]:
        return set().union(*self._sizes)

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(size for sizes in self._sizes for size in sizes.get(base_dt, []))

    def remove(self, base_dt: str) -> None:
        for folder in _FOLDERS:
            self._artifacts.delete(folder, base_dt)


class _MlflowRuns:
    name = "MLflow runs"

    def __init__(self, runs: RemovableRuns) -> None:
        self._runs = runs

    def base_dates(self) -> Iterable[str]:
        return self._runs.per_base_date()

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(map(self._runs.size, self._runs.per_base_date().get(base_dt, [])))

    def remove(self, base_dt: str) -> None:
        for run in self._runs.per_base_date().get(base_dt, []):
            self._runs.remove(run)


class _DagsterRuns:
    name = "Dagster runs"

    def __init__(self, history: RunHistory) -> None:
        self._history = history
        self._ids = history.finished()

    def base_dates(self) -> Iterable[str]:
        return self._ids

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(map(self._history.size, self._ids.get(base_dt, [])))

    def remove(self, base_dt: str) -> None:
        for run_id in self._ids.get(base_dt, []):
            self._history.remove(run_id)
        self._history.remove_reported_checks(base_dt)
