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
from click.testing import CliRunner, Result

from credit_ct_dagster.cli.main import main
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.definitions import SOURCES, partitioned, partitioned_checks
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.purposes import TRAINING_ASSETS
from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring

REPOSITORY = Path(__file__).parents[1]
BASE_DT = "2025-03-10"
EARLIER = "2025-03-07"
"""A base date before the usual one."""
ASSETS: list[dg.AssetsDefinition | dg.AssetSpec] = [*SOURCES, *partitioned(Calendar())]
_CHECKS = partitioned_checks(Calendar())
SMALL_SEARCH: dict[str, Any] = {
    "depth": [3, 4],
    "rsm": [1.0],
    "l2_leaf_reg": [3.0],
    "iterations": 12,
    "early_stopping_rounds": 5,
    "pruning": "none",
}
"""Two candidates that fit in a blink."""
POOR_SEARCH: dict[str, Any] = SMALL_SEARCH | {"depth": [1], "iterations": 1}
GOOD_SEARCH: dict[str, Any] = SMALL_SEARCH | {"depth": [5], "iterations": 60}
"""One whose model is easily beaten, and one whose model beats it."""
NO_FLOORS: dict[str, Any] = {"min_recall": 0.0, "min_slice_accuracy": 0.0, "draws": 200}
"""A gate that such models pass, with fewer draws than usual."""
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
"""Events are in the history of the instance; to print them takes a tenth of the time."""
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
    def settings(self) -> Settings:
        """What the environment of this platform would say, with the packages of this process."""
        return Settings(
            _env_file=None,
            feature_store_url=self.url,
            artifacts_path=str(self.folder / "artifacts"),
            mlflow_tracking_uri=f"sqlite:///{self.folder}/var/mlflow.db",
            optuna_storage_url=self.studies_url,
            bentoml_home=os.environ["BENTOML_HOME"],
            # To start a server takes seconds; `serving/server/test_validation.py` does.
            package_validation="process",
            model_name=self.model_name,
        )

    @cached_property
    def wiring(self) -> Wiring:
        """Every resource."""
        return Wiring(self.settings)

    @property
    def store(self) -> FeatureStore:
        """The feature store."""
        return self.wiring.feature_store

    @property
    def tracking(self) -> MlflowTracking:
        """The MLflow store."""
        return self.wiring.tracking

    @property
    def studies(self) -> StudyStorage:
        """Optuna's studies."""
        return self.wiring.study_storage

    @property
    def packages(self) -> BentoMLStore:
        """The BentoML store, the one of this process."""
        return self.wiring.bentoml_store

    @property
    def promotions(self) -> Promotions:
        """The champion and the decisions."""
        return self.wiring.promotions

    @property
    def artifacts(self) -> ArtifactsIOManager:
        """The IO manager."""
        return self.wiring.artifacts

    def models(self, base_dt: str = BASE_DT) -> ArtifactFolder:
        """The artifacts of a model."""
        return self.artifacts.open(MODEL_FOLDER, base_dt)

    def splits(self, base_dt: str = BASE_DT) -> ArtifactFolder:
        """The artifacts of `preprocessed_splits`."""
        return self.artifacts.open(PREPROCESSING_FOLDER, base_dt)

    def search_summary(self, base_dt: str = BASE_DT) -> SearchSummary:
        """What the search of a base date found."""
        return self.models(base_dt).read(SearchSummary)

    def splits_summary(self, base_dt: str = BASE_DT) -> SplitsSummary:
        """What the splits of a base date hold."""
        return self.splits(base_dt).read(SplitsSummary)

    def decision_record(self, base_dt: str = BASE_DT) -> DecisionRecord:
        """The decision on the model of a base date."""
        return self.models(base_dt).read(DecisionRecord)

    def resources(self) -> dict[str, Any]:
        """The resources of the definitions, pointed here."""
        return self.wiring.resources()

    def materialize(
        self,
        instance: dg.DagsterInstance,
        base_dt: str = BASE_DT,
        search: dict[str, Any] | None = None,
        gate: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        checks: bool = True,
        selection: dg.AssetSelection | None = None,
        scores: bool = False,
        until: str = "model_card",
        **resources: Any,
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets in this process, small and without floors unless told otherwise.

        Without a selection, those of the training job `until` one of them, which takes less time
        than all; with `scores`, `customer_scores` as well.
        """
        ops = config or {}
        if selection is None:
            wanted = TRAINING_ASSETS[: TRAINING_ASSETS.index(until) + 1]
            scored = ["customer_scores"] if scores else []
            selection = dg.AssetSelection.assets(*wanted, *scored)
            small = {
                "tuned_runs": {"config": SMALL_SEARCH if search is None else search},
                "champion_model": {"config": NO_FLOORS | (gate or {})},
            }
            ops = {name: each for name, each in small.items() if name in wanted} | ops
        return dg.materialize(
            [*ASSETS, *(_CHECKS if checks else [])],
            partition_key=base_dt,
            instance=instance,
            selection=selection,
            resources=self.resources() | resources,
            run_config={"loggers": _QUIET, "ops": ops},
            raise_on_error=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to work here."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "FEATURE_STORE_URL": self.url,
            "ARTIFACTS_PATH": "artifacts",
            "MLFLOW_TRACKING_URI": "sqlite:///var/mlflow.db",
            "OPTUNA_STORAGE_URL": self.studies_url,
            "BENTOML_HOME": "var/bentoml",
            "PACKAGE_VALIDATION": "process",
            "MODEL_NAME": self.model_name,
        }

    def command(self, *arguments: str) -> Result:
        """Run `credit-ct` in this process, in this platform's environment."""
        variables = self.settings.exported() | {
            "ARTIFACTS_PATH": self.settings.artifacts_path,
            "PACKAGE_VALIDATION": self.settings.package_validation,
            "MODEL_NAME": self.model_name,
        }
        return CliRunner().invoke(main, arguments, env=variables)

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


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Why the first failed step failed."""
    reason = reason_of(result.all_events)
    assert reason is not None, "no step failed"
    return reason.sentence


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What a run recorded with an asset."""
    for event in result.get_asset_materialization_events():
        if event.asset_key == dg.AssetKey(asset):
            return {key: value.value for key, value in event.materialization.metadata.items()}
    raise AssertionError(f"{asset} was not materialized")
