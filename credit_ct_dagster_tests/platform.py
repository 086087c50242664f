"""The platform in a folder of its own, for tests that go through several of its parts."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.assets.failures import reason_of
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.assets.preprocessed_splits import preprocessing
from credit_ct_dagster.assets.source_tables import credit_score, credit_score_features
from credit_ct_dagster.assets.tuned_runs import tuned_runs
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.dask_cluster import DaskCluster
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking, parent_run
from credit_ct_dagster.resources.study_storage import StudyStorage

REPOSITORY = Path(__file__).parents[1]
BASE_DT = "2025-03-10"
ASSETS: list[dg.AssetsDefinition | dg.AssetSpec | dg.SourceAsset] = [
    credit_score,
    credit_score_features,
    features_target,
    preprocessing,
    tuned_runs,
    bentoml_model,
    champion_model,
    model_card,
]
ASSET_NAMES = ["features_target", "preprocessed_splits", "robust_scalers", "tuned_runs",
               "bentoml_model", "champion_model", "model_card"]  # fmt: skip
"""What a run makes, in order."""
SMALL_SEARCH: dict[str, Any] = {
    "depth": [3, 4],
    "rsm": [1.0],
    "l2_leaf_reg": [3.0],
    "iterations": 12,
    "early_stopping_rounds": 5,
    "pruning": "none",
}
"""Two candidates that fit in a blink."""
NO_FLOORS: dict[str, Any] = {"min_recall": 0.0, "min_slice_accuracy": 0.0}
"""A gate that such models pass."""
HALVING_SEARCH: dict[str, Any] = {
    "depth": [2, 6],
    "rsm": [0.5, 1.0],
    "l2_leaf_reg": [1.0, 9.0],
    "iterations": 30,
    "pruning_rungs": [3, 6, 12],
    "pruning_keep": 0.5,
}
"""Eight candidates, some of which fall behind."""


@dataclass(frozen=True)
class Templates:
    """Stores that take seconds to make, and none to copy.

    Attributes:
        mlflow: An empty MLflow store.
        feature_store: A feature store on SQLite with the sample rows.
    """

    mlflow: Path
    feature_store: Path


def load_sample_rows(store: FeatureStore, until: str = BASE_DT) -> None:
    """Enough sample rows for a small model to be worth something."""
    labels, features = sample_data.generate(12_000, date.fromisoformat(until), seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})


@dataclass(frozen=True)
class Platform:
    """Everything the platform talks to, in one folder."""

    folder: Path
    url: str
    model_name: str
    studies_url: str

    @classmethod
    def prepared(
        cls,
        folder: Path,
        templates: Templates,
        url: str | None = None,
        studies_url: str | None = None,
        until: str = BASE_DT,
    ) -> "Platform":
        """A platform with 12,000 sample labels, 1,500 a month.

        Args:
            folder: Where it is.
            templates: Stores to copy.
            url: Its feature store, empty. [default: on SQLite, in the folder]
            studies_url: Optuna's database, empty. [default: on SQLite, in the folder]
            until: The newest label of a feature store that is given.
        """
        file = folder / "feature_store.db"
        made = cls(
            folder,
            url or f"sqlite:///{file}",
            f"m{uuid4().hex[:8]}",
            studies_url or f"sqlite:///{folder}/var/optuna.db",
        )
        (folder / "var").mkdir(parents=True, exist_ok=True)
        shutil.copy(templates.mlflow, folder / "var" / "mlflow.db")
        shutil.copy(REPOSITORY / "dagster.yaml", folder / "dagster.yaml")
        if url is None:
            shutil.copy(templates.feature_store, file)
        else:
            load_sample_rows(made.store, until)
        return made

    @cached_property
    def store(self) -> FeatureStore:
        """The feature store."""
        return FeatureStore(url=self.url)

    @cached_property
    def tracking(self) -> MlflowTracking:
        """The MLflow store."""
        return MlflowTracking(
            tracking_uri=f"sqlite:///{self.folder}/var/mlflow.db",
            model_name=self.model_name,
            ui_url="http://127.0.0.1:5000",
        )

    @cached_property
    def studies(self) -> StudyStorage:
        """Optuna's studies."""
        return StudyStorage(url=self.studies_url)

    @cached_property
    def packages(self) -> BentoMLStore:
        """The BentoML store, the one of this process."""
        return BentoMLStore(home=os.environ["BENTOML_HOME"], model_name=self.model_name)

    @cached_property
    def promotions(self) -> Promotions:
        """The champion and the decisions."""
        return Promotions(
            tracking=self.tracking,
            packages=self.packages,
            artifacts=self.artifacts,
            lock_url=self.url,
        )

    @cached_property
    def artifacts(self) -> ArtifactsIOManager:
        """The IO manager."""
        return ArtifactsIOManager(
            base_path=str(self.folder / "artifacts"), model_name=self.model_name
        )

    def models(self, base_dt: str = BASE_DT) -> ArtifactFolder:
        """The artifacts of `tuned_runs`."""
        return self.artifacts.open("models/{model_name}/{base_dt}", base_dt)

    def splits(self, base_dt: str = BASE_DT) -> ArtifactFolder:
        """The artifacts of `preprocessed_splits`."""
        return self.artifacts.open("preprocessing/{model_name}/{base_dt}", base_dt)

    def resources(self) -> dict[str, Any]:
        """The resources of the definitions, pointed here."""
        return {
            "base_date_lock": BaseDateLock(url=self.url),
            "feature_store": self.store,
            "artifacts": self.artifacts,
            "tracking": self.tracking,
            "mlflow": parent_run.configured(
                {
                    "experiment_name": self.model_name,
                    "mlflow_tracking_uri": self.tracking.tracking_uri,
                    "env": {},
                    "extra_tags": {},
                }
            ),
            "study_storage": self.studies,
            "dask": DaskCluster(),
            "bentoml_store": self.packages,
            "promotions": self.promotions,
        }

    def materialize(
        self,
        instance: dg.DagsterInstance,
        base_dt: str = BASE_DT,
        search: dict[str, Any] | None = None,
        gate: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        checks: bool = True,
        selection: dg.AssetSelection | None = None,
        **resources: Any,
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets in this process, small and without floors unless told otherwise."""
        return dg.materialize(
            [*ASSETS, *(CHECKS if checks else [])],
            partition_key=base_dt,
            instance=instance,
            selection=selection,
            resources=self.resources() | resources,
            run_config={
                "ops": {
                    "tuned_runs": {"config": SMALL_SEARCH if search is None else search},
                    "champion_model": {"config": NO_FLOORS | (gate or {})},
                    **(config or {}),
                }
            }
            if selection is None
            else {"ops": config or {}},
            raise_on_error=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to work here."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "FEATURE_STORE_URL": self.url,
            "ARTIFACTS_PATH": "artifacts",
            "MLFLOW_TRACKING_URI": "sqlite:///var/mlflow.db",
            "OPTUNA_STORAGE_URL": self.studies_url,
            "BENTOML_HOME": "var/bentoml",
            "MODEL_NAME": self.model_name,
        }

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command here, as a user would."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )


@dataclass(frozen=True)
class Trained:
    """A platform with one base date, `BASE_DT`, for tests that only look at it."""

    platform: Platform
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the first failed step said."""
    reason = reason_of(result.all_events)
    assert reason is not None, "no step failed"
    return reason
