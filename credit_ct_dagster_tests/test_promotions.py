"""Aliases, labels and records, with a real MLflow and a real BentoML store."""

import time
from concurrent.futures import ThreadPoolExecutor

import mlflow.catboost
import mlflow.pyfunc
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from mlflow.models import Model

from credit_ct_dagster.contracts.decision import Comparison, Decision, Estimate, Ground, Metric
from credit_ct_dagster.contracts.files import (
    MODEL_CARD_FILE,
    MODEL_FOLDER,
    SEARCH_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.search import BestModel, MlflowRuns, SearchSummary, TrialCounts
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    DeletedInMlflowError,
    MissingPackageError,
    UnrecordedChampionError,
)
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_COMPARISON = Comparison(
    metric=Metric.accuracy,
    challenger=0.8,
    champion=0.7,
    difference=Estimate(value=0.1, low=0.05, high=0.15),
    rows=400,
    customers=300,
)
_WINS = Decision(
    promoted=True, ground=Ground.better, sentence="Promoted: better.", comparison=_COMPARISON
)
_LOSES = Decision(
    promoted=False,
    ground=Ground.worse,
    sentence="Not promoted: not better.",
    comparison=_COMPARISON,
)
_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def _packaged(platform: Platform, fitted: CatBoostClassifier, base_dt: str) -> str:
    """Log a model to MLflow and package it; returns the run's id."""
    tracking = platform.tracking
    experiment = tracking.experiment_id()
    run_id = tracking.client.create_run(experiment).info.run_id
    mlflow.set_experiment(experiment_id=experiment)
    Model.log(
        artifact_path=None, name="model", flavor=mlflow.catboost, run_id=run_id, cb_model=fitted,
        pip_requirements=["catboost"],
    )  # fmt: skip
    _save(platform, fitted, _identity(base_dt, run_id, f"dagster-{base_dt}"))
    return run_id


def _identity(base_dt: str, mlflow_run_id: str, dagster_run_id: str) -> ModelIdentity:
    return ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id=mlflow_run_id,
        dagster_run_id=dagster_run_id,
        data_fingerprint="f" * 32,
    )


def _save(
    platform: Platform, fitted: CatBoostClassifier, identity: ModelIdentity, center: float = 0.0
) -> str:
    return platform.packages.save(fitted, any_data(center), identity, _RECORD, metadata={})


def _searched(platform: Platform, base_dt: str, best_run_id: str) -> None:
    """Leave the summary of a search, by which commands find the model of a base date."""
    summary = SearchSummary(
        base_dt=base_dt,
        model_name=platform.model_name,
        rows={},
        best=BestModel(params={}, iterations=1, val={}, holdout={}),
        trials=TrialCounts(total=1, completed=1, pruned=0, failed=0),
        seconds={},
        mlflow=MlflowRuns(experiment_id="1", parent_run_id="0", best_run_id=best_run_id),
        dagster_run_id=f"dagster-{base_dt}",
        data_fingerprint="f" * 32,
        fingerprints={},
        scalers_fingerprint="",
        seen_share=0.85,
    )
    platform.artifacts.write(MODEL_FOLDER, base_dt, {SEARCH_SUMMARY_FILE: summary})


def _decide(
    platform: Platform, fitted: CatBoostClassifier, base_dt: str, decision: Decision
) -> ModelIdentity:
    run_id = _packaged(platform, fitted, base_dt)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(base_dt, run_id)
        deciding.record(model, decision)
    return model


def _roles(platform: Platform) -> dict[str, str]:
    return {each.identity.base_dt: each.role for each in platform.packages.packaged() if each.role}


def test_a_promotion_is_seen_everywhere(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Aliases, labels and the record agree, first with one champion, then with two."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    assert platform.promotions.champion() == first
    assert platform.promotions.previous() is None
    assert _roles(platform) == {"2025-03-01": "champion"}
    second = _decide(platform, fitted, "2025-03-03", _WINS)
    third = _decide(platform, fitted, "2025-03-04", _LOSES)
    assert platform.promotions.champion() == second
    assert platform.promotions.previous() == first
    assert _roles(platform) == {"2025-03-01": "previous", "2025-03-03": "champion"}
    records = platform.promotions.records()
    assert [record.number for record in records] == [1, 2, 3]
    assert [record.champion for record in records] == [
        first.registered_version,
        second.registered_version,
        second.registered_version,
    ]
    assert records[2].before == second
    assert records[2].model == third
    loaded = mlflow.pyfunc.load_model(f"models:/{platform.model_name}@champion")
    assert list(loaded.predict(pd.DataFrame({"x": [2]}))["credit_score"]) == ["Good"]
    version = platform.tracking.client.get_model_version_by_alias(platform.model_name, "champion")
    assert version.tags["credit_ct.bentoml_tag"] == second.bentoml_tag
    assert version.run_id == second.mlflow_run_id


def test_records_are_history_for_the_gate(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Only what was compared with a champion counts."""
    _decide(
        platform,
        fitted,
        "2025-03-01",
        Decision(promoted=True, ground=Ground.first, sentence="Promoted."),
    )
    _decide(platform, fitted, "2025-03-03", _LOSES)
    cooling = Decision(
        promoted=False,
        ground=Ground.cooling_down,
        sentence="Not promoted: too soon.",
        comparison=_COMPARISON,
    )
    _decide(platform, fitted, "2025-03-04", cooling)
    with platform.promotions.deciding() as deciding:
        found = [(past.base_dt, past.better) for past in deciding.history()]
    assert found == [("2025-03-03", False), ("2025-03-04", True)]


def test_a_content_is_registered_once(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Packaged again, its version names the new package, which has the champion's label then."""
    model = _decide(platform, fitted, "2025-03-01", _WINS)
    again = _identity("2025-03-01", model.mlflow_run_id, "another-run")
    tag = _save(platform, fitted, again)
    with platform.promotions.deciding() as deciding:
        registered = deciding.register("2025-03-01", model.mlflow_run_id)
    assert (registered.registered_version, registered.bentoml_tag) == (
        model.registered_version,
        tag,
    )
    assert [each.tag for each in platform.packages.packaged() if each.role] == [tag]
    assert len(platform.promotions.records()) == 1


@pytest.mark.parametrize("champion", [True, False])
def test_other_contents_are_another_version(
    platform: Platform, fitted: CatBoostClassifier, champion: bool
) -> None:
    """It takes the place of the older one, as champion and as its predecessor, on record."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    second = _decide(platform, fitted, "2025-03-03", _WINS)
    model = second if champion else first
    again = _identity(model.base_dt, model.mlflow_run_id, "another-run")
    tag = _save(platform, fitted, again, center=1.0)
    with platform.promotions.deciding() as deciding:
        registered = deciding.register(model.base_dt, model.mlflow_run_id)
        assert deciding.register(model.base_dt, model.mlflow_run_id) == registered
        assert deciding.promotion_of(second.registered_version).number == 2
        if champion:
            assert deciding.promotion_of(registered.registered_version).number == 2
    assert (registered.registered_version, registered.bentoml_tag) == ("3", tag)
    expected = (registered, first) if champion else (second, registered)
    assert (platform.promotions.champion(), platform.promotions.previous()) == expected
    newest = platform.promotions.records()[-1]
    assert (newest.number, newest.decision.ground) == (3, Ground.registered_again)
    assert "packaged again with other contents" in newest.decision.sentence
    assert platform.promotions.agreement()
    loaded = mlflow.pyfunc.load_model(f"models:/{platform.model_name}/3")
    assert list(loaded.predict(pd.DataFrame({"x": [2]}))["credit_score"]) == ["Standard"]


def test_a_version_of_an_earlier_release_is_replaced(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """It was the plain CatBoost model, which takes scaled rows; the alias moves to the package."""
    run_id = _packaged(platform, fitted, "2025-03-01")
    client, name = platform.tracking.client, platform.model_name
    [trial] = client.search_logged_models([platform.tracking.experiment_id()])
    [package] = platform.packages.packaged()
    identity = package.identity.model_copy(
        update={"package_sha256": platform.packages.sha256(package.tag)}
    )
    client.create_registered_model(name)
    client.create_model_version(
        name, f"models:/{trial.model_id}", run_id, model_id=trial.model_id,
        tags={f"credit_ct.{key}": str(value) for key, value in identity},
    )  # fmt: skip
    with platform.promotions.deciding() as deciding:
        old = identity.model_copy(update={"registered_model": name, "registered_version": "1"})
        deciding.record(old, _WINS)
        assert platform.promotions.champion() == old
        new = deciding.register("2025-03-01", run_id)
    assert new == old.model_copy(update={"registered_version": "2"})
    assert platform.promotions.champion() == new
    assert platform.promotions.previous() is None
    mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(pd.DataFrame({"x": [2]}))


def test_a_kill_while_a_package_is_logged_is_made_good(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was half logged is deleted; what was logged, but not registered, is registered."""

    class _KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise _KilledError

    run_id = _packaged(platform, fitted, "2025-03-01")
    client = platform.tracking.client
    for step in ("log_model_artifacts", "create_model_version"):
        with monkeypatch.context() as patch, platform.promotions.deciding() as deciding:
            patch.setattr(client, step, killed)
            with pytest.raises(_KilledError):
                deciding.register("2025-03-01", run_id)
    with platform.promotions.deciding() as deciding:
        deciding.register("2025-03-01", run_id)
    logged = client.search_logged_models([platform.tracking.experiment_id()])
    assert sorted((each.name, each.status) for each in logged) == [
        ("model", "READY"), ("scorer", "READY")
    ]  # fmt: skip
    assert platform.tracking.load_model(run_id).tree_count_ == fitted.tree_count_


def test_a_kill_after_the_record_is_made_good(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record stands, so the next who decides moves the aliases first."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)

    class _KilledError(BaseException):
        pass

    def killed(self: ModelRegistry, alias: str, version: str | None) -> None:
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "set_alias", killed)
        with pytest.raises(_KilledError):
            _decide(platform, fitted, "2025-03-03", _WINS)
    assert platform.promotions.champion() == first
    with platform.promotions.deciding():
        champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == "2025-03-03"
    assert platform.promotions.previous() == first
    assert _roles(platform) == {"2025-03-01": "previous", "2025-03-03": "champion"}


def test_an_alias_moved_by_hand_is_not_overruled(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """It stays where a person put it, and the gate asks for the reason."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    second = _decide(platform, fitted, "2025-03-03", _LOSES)
    client = platform.tracking.client
    client.set_registered_model_alias(platform.model_name, "champion", second.registered_version)
    with platform.promotions.deciding() as deciding:
        assert platform.promotions.champion() == second
        with pytest.raises(UnrecordedChampionError, match="credit-ct promote"):
            deciding.promotion_of(second.registered_version)
        assert deciding.promotion_of(first.registered_version).number == 1


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_an_alias_moved_by_hand_is_put_on_record(
    platform: Platform, fitted: CatBoostClassifier, command: str
) -> None:
    """As the doctor recommends: the model that served before is the champion again."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    second = _decide(platform, fitted, "2025-03-03", _WINS)
    _searched(platform, "2025-03-01", first.mlflow_run_id)
    client = platform.tracking.client
    client.set_registered_model_alias(platform.model_name, "champion", first.registered_version)
    with pytest.raises(ChampionDisagreementError, match="promote or credit-ct rollback"):
        platform.promotions.agreement()
    which = ("--partition", "2025-03-01") if command == "promote" else ()
    done = platform.command(command, *which, "--by", "Kim", "--reason", "it was me")
    assert done.exit_code == 0, done.output
    assert (platform.promotions.champion(), platform.promotions.previous()) == (first, second)
    assert platform.promotions.agreement().startswith("version 1 of base date 2025-03-01")


def test_a_run_without_package_is_refused(platform: Platform) -> None:
    """Only what can be served is registered."""
    with (
        pytest.raises(MissingPackageError, match="is not packaged: materialize bentoml_model"),
        platform.promotions.deciding() as deciding,
    ):
        deciding.register("2025-03-01", "0" * 32)


def test_a_model_whose_run_was_deleted_is_refused(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """Somebody deleted it before it was registered: it is restored from MLflow's trash first."""
    run_id = _packaged(platform, fitted, "2025-03-01")
    platform.tracking.client.delete_run(run_id)
    with (
        platform.promotions.deciding() as deciding,
        pytest.raises(DeletedInMlflowError, match="mlflow runs restore --run-id"),
    ):
        deciding.register("2025-03-01", run_id)


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_two_never_decide_at_once(
    request: pytest.FixtureRequest, platform: Platform, fitted: CatBoostClassifier, kind: str
) -> None:
    """The second one sees what the first one decided."""
    url = platform.url
    if kind == "mariadb":
        server: MariaDB = request.getfixturevalue("mariadb")
        url = server.new_database()
    days = ["2025-03-01", "2025-03-02"]
    runs = {day: _packaged(platform, fitted, day) for day in days}
    inside: list[str] = []

    def first_wins(day: str) -> bool:
        promotions = Promotions(
            tracking=platform.tracking, packages=platform.packages,
            artifacts=platform.artifacts, validation=platform.wiring.package_validation,
            lock_url=url,
        )  # fmt: skip
        with promotions.deciding() as deciding:
            inside.append(day)
            assert len(inside) == 1
            model = deciding.register(day, runs[day])
            decision = _LOSES if deciding.champion() else _WINS
            time.sleep(0.2)
            deciding.record(model, decision)
            inside.remove(day)
        return decision.promoted

    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(first_wins, days))
    assert sorted(won) == [False, True]
    assert len(platform.promotions.records()) == 2


def test_a_person_can_overrule_the_gate(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Promote and roll back by command, with a name and a reason, which stay on record."""
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    run_id = _packaged(platform, fitted, "2025-03-03")
    _searched(platform, "2025-03-03", run_id)

    nothing = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert nothing.exit_code == 1
    assert "There is no previous champion" in nothing.output
    promote = ("promote", "--partition", "2025-03-03", "--by", "Kim", "--reason", "it is biased")
    done = platform.command(*promote)
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.mlflow_run_id == run_id
    again = platform.command(*promote)
    assert again.exit_code == 1
    assert "The model of base date 2025-03-03 is the champion already" in again.output
    back = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert back.exit_code == 0, back.output
    assert platform.promotions.champion() == first
    assert platform.promotions.previous() == champion
    assert _roles(platform) == {"2025-03-01": "champion", "2025-03-03": "previous"}
    decided = [(each.by, each.reason) for each in platform.promotions.records()]
    assert decided == [("gate", None), ("Kim", "it is biased"), ("Lee", "complaints")]


def test_a_model_that_does_not_load_is_not_promoted(platform: Platform) -> None:
    """Not even by a person: neither one that was never trained, nor one whose package is gone."""
    person = ("--by", "Kim", "--reason", "why not")
    untrained = platform.command("promote", "--partition", "2025-03-05", *person)
    assert untrained.exit_code == 1
    assert "summary.json does not exist" in untrained.output
    _searched(platform, "2025-03-05", "0" * 32)
    unpackaged = platform.command("promote", "--partition", "2025-03-05", *person)
    assert unpackaged.exit_code == 1
    assert "is not packaged" in unpackaged.output
    assert platform.promotions.records() == []


def test_a_card_is_found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one, or that of a base date; the path is printed for those without a browser."""
    assert "No base date has a model card yet" in platform.command("report").output
    for base_dt in ("2025-03-01", "2025-03-03"):
        platform.artifacts.write(MODEL_FOLDER, base_dt, {MODEL_CARD_FILE: "<html></html>"})
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    newest = platform.command("report")
    path = platform.models("2025-03-03").path / MODEL_CARD_FILE
    assert newest.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert (
        "2025-03-01" in platform.command("report", "--partition", "2025-03-01", "--no-open").output
    )
    assert len(opened) == 1
    absent = platform.command("report", "--partition", "2025-03-02")
    assert "Base date 2025-03-02 has no model card" in absent.output
