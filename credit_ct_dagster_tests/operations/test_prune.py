"""What is deleted, what is retained, and what remains after a kill, with real stores."""

import json
import logging
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import optuna
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from click.testing import Result
from mlflow import MlflowClient
from mlflow.entities import ViewType
from upath import UPath

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.modeling.trials import FittedTrial, Trial, TrialState
from credit_ct_dagster.operations.prune import Retention
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.tags import BASE_DATE_TAG, PARENT_DAGSTER_RUN_TAG
from credit_ct_dagster.resources.mlflow.trials import Nesting
from credit_ct_dagster.resources.study_storage import study_name
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_LOG = logging.getLogger(__name__)
_PROMOTED = Decision(promoted=True, ground=Ground.first, sentence="Promoted.")
_NOT_PROMOTED = Decision(promoted=False, ground=Ground.worse, sentence="Not promoted.")
_KEEP_DAYS = 90
_EVERYWHERE = {
    "Optuna studies", "registered versions", "packages", "artifacts", "MLflow runs", "Dagster runs",
}  # fmt: skip


class _StoppedCalendar(Calendar):
    """Its newest base date is that of when the tests began, also past midnight."""

    def newest(self, now: datetime | None = None) -> str:
        return _NEWEST


_NEWEST = Calendar().newest()
_CALENDAR = _StoppedCalendar()


def _days_ago(days: int) -> str:
    return (date.fromisoformat(_NEWEST) - timedelta(days=days)).isoformat()


OLDEST, OLD, OLDER, EDGE, RECENT = map(_days_ago, (100, 91, 95, 90, 89))


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


@dg.asset(partitions_def=_CALENDAR.partitions)
def trained() -> None:
    """Leaves a run with a materialization in Dagster's history."""


@dg.asset_check(asset=trained)
def is_good() -> dg.AssetCheckResult:
    """Leaves a result there."""
    return dg.AssetCheckResult(passed=True)


class _KilledError(BaseException):
    pass


class _World:
    """A platform, and what runs leave in all of its stores."""

    def __init__(
        self, platform: Platform, instance: dg.DagsterInstance, model: CatBoostClassifier
    ) -> None:
        self.platform = platform
        self.instance = instance
        self._model = model

    @property
    def retention(self) -> Retention:
        return Retention(self.platform.promotions, self.platform.studies, _CALENDAR, self.instance)

    @property
    def client(self) -> MlflowClient:
        return self.platform.tracking.client

    def train(self, base_dt: str, decision: Decision) -> None:
        """Write what a run of a base date writes, to every store."""
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

    def remaining(self, base_dt: str) -> dict[str, list[Any]]:
        """What the stores themselves hold of a base date."""
        platform = self.platform
        runs = self.client.search_runs(
            [platform.tracking.experiment_id()],
            f"tags.`{BASE_DATE_TAG}` = '{base_dt}'",
            ViewType.ALL,
        )
        found: dict[str, list[Any]] = {
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


class _OnObjects(Platform):
    """Its artifacts lie in an object store."""

    @cached_property
    def settings(self) -> Settings:
        return super().settings.model_copy(update={"artifacts_path": f"memory://{self.model_name}"})


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    platform: Platform,
    instance: dg.DagsterInstance,
    fitted: CatBoostClassifier,
) -> _World:
    """A platform on which nothing was trained yet."""
    if getattr(request, "param", "disk") == "objects":
        platform = _OnObjects(
            platform.folder, platform.url, platform.model_name, platform.studies_url
        )
    return _World(platform, instance, fitted)


_every_store = pytest.mark.parametrize(
    ("instance", "world"), [("sqlite", "disk"), ("mariadb", "objects")], indirect=True
)


@_every_store
def test_old_base_dates_are_deleted_and_those_that_serve_are_not(world: _World) -> None:
    """From every store; planning deletes nothing, and deleting twice is no failure."""
    world.train(OLDER, _PROMOTED)
    world.train(RECENT, _NOT_PROMOTED)
    world.train(OLDEST, _PROMOTED)
    needed = world.files()
    world.train(OLD, _NOT_PROMOTED)
    everything = world.remaining(OLD)
    assert len(everything) == 8

    plan = world.retention.plan(_KEEP_DAYS)
    assert plan.last_expired == EDGE
    assert plan.retained == {OLDEST: "champion", OLDER: "previous"}
    assert set(plan.expired) == {OLD}
    assert set(plan.expired[OLD]) == _EVERYWHERE
    amounts = plan.expired[OLD]
    assert [amounts[name].items for name in ("artifacts", "MLflow runs", "packages")] == [3, 2, 1]
    assert all(amounts[name].bytes for name in ("artifacts", "MLflow runs", "packages"))
    assert world.remaining(OLD) == everything

    retained = {base_dt: world.remaining(base_dt) for base_dt in (OLDEST, OLDER, RECENT)}
    assert world.retention.remove(OLD)
    assert world.remaining(OLD) == {}
    assert {base_dt: world.remaining(base_dt) for base_dt in retained} == retained
    assert world.files() == needed
    assert world.platform.promotions.agreement().startswith("version 3 of base date")
    assert len(world.platform.promotions.records()) == 4
    assert world.retention.plan(_KEEP_DAYS).expired == {}
    assert world.retention.remove(OLD)


def test_the_newest_base_date_that_is_deleted_is_as_old_as_requested(world: _World) -> None:
    """To the day; what is no base date is left alone."""
    for base_dt in (EDGE, RECENT):
        world.platform.artifacts.write(MODEL_FOLDER, base_dt, {"summary.json": {}})
    world.platform.artifacts.write(MODEL_FOLDER, "notes", {"summary.json": {}})
    assert set(world.retention.plan(90).expired) == {EDGE}
    assert set(world.retention.plan(89).expired) == {EDGE, RECENT}
    assert world.retention.plan(91).expired == {}


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_a_killed_prune_is_finished_by_the_next(
    world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in one store after the other: no half is visible, and all is deleted in the end."""
    world.train(OLD, _NOT_PROMOTED)
    rmtree = shutil.rmtree

    def half(folder: Any, *_: Any, **__: Any) -> None:
        next(path for path in Path(folder).rglob("*") if path.is_file()).unlink()
        raise _KilledError

    def killed(*_: Any, **__: Any) -> None:
        raise _KilledError

    def attempt(target: str, replacement: Any) -> None:
        retention = world.retention
        with monkeypatch.context() as patch:
            patch.setattr(target, replacement)
            with pytest.raises(_KilledError):
                retention.remove(OLD)
        assert OLD in world.retention.plan(_KEEP_DAYS).expired

    def in_artifacts(folder: Any, *rest: Any, **options: Any) -> None:
        (half if "artifacts" in str(folder) else rmtree)(folder, *rest, **options)

    attempt("optuna.delete_study", killed)
    attempt("mlflow.MlflowClient.delete_model_version", killed)
    attempt("bentoml._internal.store.shutil.rmtree", half)
    attempt("credit_ct_dagster.io_managers.artifacts.shutil.rmtree", in_artifacts)
    assert [day for day, _ in world.platform.artifacts.open_all(PREPROCESSING_FOLDER)] == []
    assert world.remaining(OLD)["artifacts"]
    attempt("mlflow.MlflowClient.delete_run", killed)
    attempt("dagster.DagsterInstance.event_log_storage", property(killed))
    assert world.retention.remove(OLD)
    assert world.remaining(OLD) == {}
    assert [path for path in world.files() if path.is_file() and path.name != "latest"] == []
    assert world.retention.plan(_KEEP_DAYS).expired == {}
    world.train(OLD, _NOT_PROMOTED)
    assert len(world.remaining(OLD)) == 8


def test_a_half_deleted_package_is_removed_by_the_next_writer(
    world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its description was deleted first, so that it is not listed any more."""
    world.train(OLD, _NOT_PROMOTED)
    [package] = world.platform.packages.packaged()

    def description(folder: Any) -> None:
        (Path(folder) / "model.yaml").unlink()
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr("bentoml._internal.store.shutil.rmtree", description)
        with pytest.raises(_KilledError):
            world.platform.packages.remove([package.tag])
    assert package.folder.exists()
    world.platform.packages.remove([])
    assert not package.folder.exists()


def test_a_champion_that_mlflow_does_not_know_is_retained(
    world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after MLFLOW_TRACKING_URI was set to another store: the record still names it."""
    world.train(OLD, _PROMOTED)
    world.client.delete_registered_model_alias(world.platform.model_name, "champion")
    with monkeypatch.context() as patch:
        patch.setattr(BentoMLStore, "labels_of_roles", lambda self: {})
        assert world.platform.promotions.needed_base_dates() == {OLD: "champion"}
    shutil.rmtree(world.platform.folder / "artifacts" / "promotions")
    assert world.retention.plan(_KEEP_DAYS).retained == {OLD: "champion"}


def test_any_alias_retains_a_base_date(world: _World) -> None:
    """Also one that a person gave to a version that a person registered."""
    world.train(OLD, _NOT_PROMOTED)
    world.train(OLDER, _NOT_PROMOTED)
    client, name = world.client, world.platform.model_name
    by_gate = {
        version.tags["credit_ct.base_dt"]: version
        for version in client.search_model_versions(f"name='{name}'")
    }
    source = by_gate[OLD].source
    assert source is not None
    by_hand = client.create_model_version(name, source, by_gate[OLD].run_id)
    client.set_registered_model_alias(name, "shadow", by_hand.version)
    plan = world.retention.plan(_KEEP_DAYS)
    assert plan.retained == {OLD: "shadow"}
    assert set(plan.expired) == {OLDER}


@_every_store
def test_a_base_date_in_use_is_retained(world: _World) -> None:
    """While one of its runs has not ended, also one that began after the plan was made."""
    world.train(OLD, _NOT_PROMOTED)
    retention = world.retention
    assert set(retention.plan(_KEEP_DAYS).expired) == {OLD}
    queued = world.instance.create_run_for_job(
        dg.define_asset_job("again", [trained]).resolve(
            asset_graph=dg.Definitions([trained]).resolve_asset_graph()
        ),
        tags={"dagster/partition": OLD},
    )
    assert not retention.remove(OLD)
    assert world.remaining(OLD)["packages"]
    assert retention.plan(_KEEP_DAYS).retained == {OLD: "one of its runs has not ended"}
    world.instance.report_run_failed(queued)
    assert world.retention.remove(OLD)
    assert world.remaining(OLD) == {}


@_every_store
def test_runs_without_base_date_count_for_the_day_they_began(world: _World) -> None:
    """Dagster's, and MLflow's of a run that failed early; runs of others are not touched."""
    experiment = world.platform.tracking.experiment_id()
    long_ago = pd.Timestamp(OLD, tz="Asia/Seoul") + pd.Timedelta(hours=23)
    begun = int(long_ago.timestamp() * 1000)
    ours = world.client.create_run(experiment, begun, {PARENT_DAGSTER_RUN_TAG: "gone"})
    theirs = world.client.create_run(experiment, begun)
    world.instance.run_storage.add_run(
        dg.DagsterRun("a job", status=dg.DagsterRunStatus.SUCCESS, run_id="1" * 32)
    )
    assert set(world.retention.plan(_KEEP_DAYS).expired) == {OLD}
    assert world.retention.remove(OLD)
    remaining = world.client.search_runs([experiment], "", ViewType.ALL)
    assert [run.info.run_id for run in remaining] == [theirs.info.run_id]
    assert ours.info.run_id != theirs.info.run_id
    assert list(RunHistory(world.instance).finished().values()) == [["1" * 32]]


@pytest.fixture
def prune(world: _World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command, on this platform."""
    home = world.platform.folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        world.instance = instance
        yield lambda *arguments: world.platform.command("prune", *arguments)


def test_the_command_deletes_only_with_yes(world: _World, prune: Any) -> None:
    """It lists what, how much, and what is retained; nothing to delete is no failure."""
    assert "has anything to delete" in prune().output
    world.train(OLDER, _PROMOTED)
    world.train(OLD, _NOT_PROMOTED)
    looked: Result = prune()
    assert looked.exit_code == 0, looked.output
    assert f"Base date {OLDER} is retained: champion" in looked.output
    assert "Nothing was deleted" in looked.output
    assert len(world.remaining(OLD)) == 8
    assert json.loads(prune("--json", "--keep-days", "93").output)["expired"] == {}
    deleted = json.loads(prune("--yes", "--json").output)
    assert deleted["deleted"] == [OLD]
    assert set(deleted["expired"][OLD]) == _EVERYWHERE
    assert world.remaining(OLD) == {}
    assert "has anything to delete" in prune("--yes").output
