"""A platform of which old base dates are deleted, and what runs left in all of its stores."""

import logging
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import optuna
import pytest
from catboost import CatBoostClassifier
from mlflow import MlflowClient
from mlflow.entities import ViewType
from upath import UPath

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.trials import FittedTrial, Trial, TrialState
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.operations.prune import Retention
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.resources.mlflow.tags import BASE_DATE_TAG, PARENT_DAGSTER_RUN_TAG
from credit_ct_dagster.resources.mlflow.trials import Nesting
from credit_ct_dagster.resources.study_storage import study_name
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.feature_store.scored import write_scores
from credit_ct_dagster_tests.resources.packages import any_data

_LOG = logging.getLogger(__name__)
PROMOTED = Decision(promoted=True, ground=Ground.first, sentence="Promoted.")
NOT_PROMOTED = Decision(promoted=False, ground=Ground.worse, sentence="Not promoted.")
UNDECIDED = Decision(
    promoted=False, ground=Ground.insufficient_evidence, sentence="Not promoted: too few rows."
)
KEEP_DAYS = 90
EVERYWHERE = {
    "scores", "Optuna studies", "registered versions", "packages", "holdouts", "artifacts",
    "MLflow runs", "Dagster runs",
}  # fmt: skip


class _StoppedCalendar(Calendar):
    """Its newest base date is that of when the tests began, also past midnight."""

    def newest(self, now: datetime | None = None) -> str:
        return _NEWEST


_NEWEST = Calendar().newest()
_CALENDAR = _StoppedCalendar()


def days_ago(days: int) -> str:
    """The base date that is so many days older than the newest."""
    return (date.fromisoformat(_NEWEST) - timedelta(days=days)).isoformat()


OLDEST, OLD, OLDER, EDGE, RECENT = map(days_ago, (100, 91, 95, 90, 89))


@dg.asset(partitions_def=_CALENDAR.partitions)
def trained() -> None:
    """Leaves a run with a materialization in Dagster's history."""


@dg.asset_check(asset=trained)
def is_good() -> dg.AssetCheckResult:
    """Leaves a result there."""
    return dg.AssetCheckResult(passed=True)


class KilledError(BaseException):
    """What ends a process here and now, for a test."""


class World:
    """A platform, and what runs leave in all of its stores."""

    def __init__(
        self, platform: Platform, instance: dg.DagsterInstance, model: CatBoostClassifier
    ) -> None:
        self.platform = platform
        self.instance = instance
        self._model = model

    @property
    def retention(self) -> Retention:
        """What deletes; it lists anew what there is."""
        return self.retained_under(None)

    def retained_under(self, shadow: ShadowRules | None) -> Retention:
        """The same, with other rules for who is in the shadow."""
        platform = self.platform
        return Retention(
            platform.promotions, platform.studies, platform.store, _CALENDAR, self.instance, shadow
        )

    @property
    def client(self) -> MlflowClient:
        """MLflow, unmediated."""
        return self.platform.tracking.client

    def train(self, base_dt: str, decision: Decision, splits: bool = True) -> None:
        """Write what a run of a base date writes, to every store.

        Args:
            base_dt: The base date.
            decision: On its model.
            splits: Whether to write splits, which cannot be read; otherwise they are there.
        """
        platform = self.platform
        run_id = dg.materialize(
            [trained, is_good], partition_key=base_dt, instance=self.instance
        ).run_id
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(trained.key, "is_good", passed=False, partition=base_dt)
        )
        parent = self.client.create_run(
            platform.tracking.experiment_id(),
            tags={BASE_DATE_TAG: base_dt, PARENT_DAGSTER_RUN_TAG: run_id},
        ).info.run_id
        self.client.log_text(parent, "<html>", "model_card.html")
        trial = Trial(number=0, params={}, state=TrialState.completed, metrics={}, iterations=2)
        nesting = Nesting(parent, {BASE_DATE_TAG: base_dt}, {})
        fitted = FittedTrial(trial, 0.0, [0.5, 0.4], self._model)
        best = platform.tracking.tracker(nesting).record(fitted)
        with platform.studies.open(
            study_name(platform.model_name, base_dt, "f"), TuningParameters(), _LOG
        ) as study:
            study.tell(study.ask(), 0.5)
        if splits:
            platform.artifacts.write(PREPROCESSING_FOLDER, base_dt, {"summary.json": {"rows": {}}})
        platform.artifacts.write(MODEL_FOLDER, base_dt, {"summary.json": {}, "decision.json": {}})
        platform.packages.save(
            self._model,
            any_data(),
            ModelIdentity(
                base_dt=base_dt,
                mlflow_run_id=best,
                dagster_run_id=run_id,
                data_fingerprint="f" * 32,
            ),
            PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={}),
            metadata={},
        )
        with platform.promotions.deciding() as deciding:
            deciding.record(deciding.register(base_dt, best), decision)
        write_scores(platform.store, platform.model_name, base_dt)

    def remaining(self, base_dt: str) -> dict[str, list[Any]]:
        """What the stores themselves hold of a base date."""
        platform = self.platform
        runs = self.client.search_runs(
            [platform.tracking.experiment_id()],
            f"tags.`{BASE_DATE_TAG}` = '{base_dt}'",
            ViewType.ALL,
        )
        scores = CustomerScores(platform.store.database, platform.model_name)
        found: dict[str, list[Any]] = {
            "scores": list(scores.counts(base_dt).items()),
            "studies": [
                name for name in optuna.get_all_study_names(platform.studies.url) if base_dt in name
            ],
            "versions": [
                version.version
                for version in self.client.search_model_versions(f"name='{platform.model_name}'")
                if version.tags["credit_ct.base_dt"] == base_dt
            ],
            "packages": [
                package.tag
                for package in platform.packages.packaged()
                if package.identity.base_dt == base_dt
            ],
            "artifacts": list(UPath(platform.artifacts.base_path).glob(f"*/*/*{base_dt}*")),
            "MLflow runs": [run.info.run_id for run in runs],
            "Dagster runs": list(
                self.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": base_dt}))
            ),
            "checks": [
                each.run_id
                for each in self.instance.event_log_storage.get_asset_check_execution_history(
                    is_good.check_key, limit=100
                )
                if each.partition == base_dt
            ],
            "materialized": sorted(
                {base_dt} & self.instance.get_materialized_partitions(trained.key)
            ),
        }
        return {what: items for what, items in found.items() if items}

    def files(self) -> set[Path]:
        """Every file of MLflow and of the packages."""
        folders = [
            self.platform.folder / "var" / "mlflow_artifacts",
            Path(self.platform.packages.home) / "models" / self.platform.model_name,
        ]
        return {path for folder in folders for path in folder.rglob("*")}


class OnObjects(Platform):
    """Its artifacts lie in an object store."""

    @cached_property
    def settings(self) -> Settings:
        return super().settings.model_copy(update={"artifacts_path": f"memory://{self.model_name}"})


every_store = pytest.mark.parametrize(
    ("instance", "world"), [("sqlite", "disk"), ("mariadb", "objects")], indirect=True
)
