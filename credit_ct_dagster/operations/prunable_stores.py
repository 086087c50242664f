"""The stores in which something belongs to a base date, as far as retention is concerned.

Each lists what it holds when it is made.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER, SCORES_FOLDER
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import HOLDOUT_FILES
from credit_ct_dagster.operations.prune_plan import Amount
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.mlflow.removal import RemovableRuns
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.history import RunHistory

logger = logging.getLogger(__name__)

HOLDOUTS = "holdouts"
"""The name of the store of what the gate reads of earlier base dates."""


class PrunableStore(Protocol):
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


def prunable_stores(
    promotions: Promotions,
    studies: StudyStorage,
    feature_store: FeatureStore,
    runs: RemovableRuns,
    history: RunHistory,
) -> list[PrunableStore]:
    """All of them, in the order in which they are to delete a base date.

    In this order, whatever remains after a kill has all that it refers to: a score names its
    version and its package, a study MLflow runs, and a version its package and its run. The store
    of holdouts may be passed over: no other refers to it.

    Raises:
        UnavailableError: A store does not answer.
    """
    model_name = promotions.tracking.model_name
    return [
        _Scores(CustomerScores(feature_store.database, model_name)),
        _Studies(studies, model_name),
        _Versions(ModelRegistry(promotions.tracking)),
        _Packages(promotions.packages),
        _Holdouts(promotions.artifacts),
        _Artifacts(promotions.artifacts),
        _MlflowRuns(runs),
        _DagsterRuns(history),
    ]


class _Scores:
    name = "scores"

    def __init__(self, scores: CustomerScores) -> None:
        self._scores = scores
        self._rows = scores.per_base_date()

    def base_dates(self) -> Iterable[str]:
        return self._rows

    def amount(self, base_dt: str) -> Amount:
        return Amount(self._rows.get(base_dt, 0))

    def remove(self, base_dt: str) -> None:
        if base_dt in self._rows:
            self._scores.delete(base_dt)


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


class _Holdouts:
    """Of the splits, what the gate reads when it pools holdouts; and the folder that it is in."""

    name = HOLDOUTS

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts
        self._sizes = artifacts.sizes(PREPROCESSING_FOLDER)

    def base_dates(self) -> Iterable[str]:
        return self._sizes

    def amount(self, base_dt: str) -> Amount:
        sizes = self._sizes.get(base_dt, {})
        names = {self._artifacts.file_name(each, base_dt) for each in HOLDOUT_FILES}
        return Amount.of(size for name, size in sizes.items() if name in names)

    def remove(self, base_dt: str) -> None:
        # All of it at once, so that on a disk nobody ever sees half of the splits.
        self._artifacts.delete(PREPROCESSING_FOLDER, base_dt)


class _Artifacts:
    """Everything else in the artifacts."""

    name = "artifacts"

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts
        self._whole = [artifacts.sizes(folder) for folder in (SCORES_FOLDER, MODEL_FOLDER)]
        self._splits = artifacts.sizes(PREPROCESSING_FOLDER)

    def base_dates(self) -> Iterable[str]:
        return set(self._splits).union(*self._whole)

    def amount(self, base_dt: str) -> Amount:
        return Amount.of(self._sizes(base_dt))

    def remove(self, base_dt: str) -> None:
        for folder in (SCORES_FOLDER, MODEL_FOLDER):
            self._artifacts.delete(folder, base_dt)
        self._artifacts.delete_all_but(PREPROCESSING_FOLDER, base_dt, HOLDOUT_FILES)

    def _sizes(self, base_dt: str) -> Iterator[int]:
        for sizes in self._whole:
            yield from sizes.get(base_dt, {}).values()
        names = {self._artifacts.file_name(each, base_dt) for each in HOLDOUT_FILES}
        for name, size in self._splits.get(base_dt, {}).items():
            if name not in names:
                yield size


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
