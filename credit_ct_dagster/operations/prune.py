"""How long what belongs to a base date is kept, in every store but the feature store.

A base date goes as a whole or stays as a whole. It stays while its model serves, served before, or
carries any alias in MLflow; and while a run of it goes on.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dagster as dg

from credit_ct_dagster.io_managers.artifacts import (
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    ArtifactsIOManager,
)
from credit_ct_dagster.partitions import exists, last_expired, newest_base_date
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.mlflow.removal import RemovableRuns
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.history import RunHistory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Amount:
    """How much a store holds.

    Attributes:
        items: How many files, packages, runs, versions or studies.
        bytes: Of their files; what a database holds is not counted.
    """

    items: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, sizes: Iterable[int]) -> "Amount":
        """The amount of items of these sizes."""
        counted = list(sizes)
        return cls(len(counted), sum(counted))

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.items + other.items, self.bytes + other.bytes)


@dataclass(frozen=True)
class Plan:
    """What a retention would delete.

    Attributes:
        last_expired: The newest base date that is old enough to go.
        expired: Per base date and store, how much goes.
        kept: Base dates that are old enough and stay, each with the reason.
    """

    last_expired: str
    expired: Mapping[str, Mapping[str, Amount]]
    kept: Mapping[str, str]

    def total(self) -> dict[str, Amount]:
        """How much goes per store."""
        total: dict[str, Amount] = {}
        for stores in self.expired.values():
            for store, amount in stores.items():
                total[store] = total.get(store, Amount()) + amount
        return total


class _Keeper(Protocol):
    """One store, as retention sees it."""

    name: str

    def base_dates(self) -> Iterable[str]:
        """The base dates of which it holds something."""
        ...

    def amount(self, base_dt: str) -> Amount:
        """How much it holds of a base date."""
        ...

    def remove(self, base_dt: str) -> None:
        """Delete that; killed, the rest is still among the base dates."""
        ...


class Retention:
    """One rule for artifacts, packages, MLflow, studies and Dagster's history."""

    def __init__(
        self, promotions: Promotions, studies: StudyStorage, instance: dg.DagsterInstance
    ) -> None:
        self._promotions = promotions
        self._history = RunHistory(instance)
        runs = RemovableRuns(promotions.tracking)
        self.mlflow_for_good = runs.for_good
        # In this order a kill leaves nothing that another store still needs: a study names MLflow
        # runs, and a version its package and its run.
        self._keepers: list[_Keeper] = [
            _Studies(studies, promotions.tracking.model_name),
            _Versions(ModelRegistry(promotions.tracking)),
            _Packages(promotions.packages),
            _Artifacts(promotions.artifacts),
            _MlflowRuns(runs),
            _DagsterRuns(self._history),
        ]

    def plan(self, keep_days: int) -> Plan:
        """Look what is older than a number of days, counted from the newest base date.

        Raises:
            UnavailableError: A store does not answer.
        """
        limit = last_expired(newest_base_date(), keep_days)
        assert limit is not None
        held = {base_dt for keeper in self._keepers for base_dt in keeper.base_dates()}
        old = sorted(base_dt for base_dt in held if exists(base_dt) and base_dt <= limit)
        reasons = self._reasons_to_keep()
        expired = {base_dt: self._amounts(base_dt) for base_dt in old if base_dt not in reasons}
        kept = {base_dt: reasons[base_dt] for base_dt in old if base_dt in reasons}
        return Plan(limit, expired, kept)

    def remove(self, base_dt: str) -> bool:
        """Delete what belongs to a base date, while nobody can make its model the champion.

        Returns:
            Whether it was deleted; it is not when there is a reason to keep it by now.

        Raises:
            UnavailableError: A store does not answer; started again, the rest is deleted.
        """
        with self._promotions.deciding():
            if base_dt in self._reasons_to_keep():
                return False
            for keeper in self._keepers:
                keeper.remove(base_dt)
        return True

    def _reasons_to_keep(self) -> dict[str, str]:
        running = dict.fromkeys(self._history.unfinished(), "a run of it goes on")
        return running | self._promotions.needed_base_dates()

    def _amounts(self, base_dt: str) -> dict[str, Amount]:
        amounts = {keeper.name: keeper.amount(base_dt) for keeper in self._keepers}
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
            self._versions.setdefault(version.base_dt, []).append(version.version)

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
        for package in store.packages():
            base_dt = package.info.labels.get("base_dt")
            if base_dt:  # others may keep packages of the same name
                self._paths.setdefault(base_dt, {})[str(package.tag)] = Path(package.path)

    def base_dates(self) -> Iterable[str]:
        return self._paths

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(
            sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in self._paths.get(base_dt, {}).values()
        )

    def remove(self, base_dt: str) -> None:
        # Without any, too: one that was half deleted may be listed no more.
        self._store.remove(self._paths.get(base_dt, []))


class _Artifacts:
    name = "artifacts"

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts
        self._sizes = [artifacts.sizes(folder) for folder in (PREPROCESSING_FOLDER, MODEL_FOLDER)]

    def base_dates(self) -> Iterable[str]:
        return set().union(*self._sizes)

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(size for sizes in self._sizes for size in sizes.get(base_dt, []))

    def remove(self, base_dt: str) -> None:
        for folder in (PREPROCESSING_FOLDER, MODEL_FOLDER):
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
        self._history.forget(base_dt)
