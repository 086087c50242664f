"""Aliases, labels and records, with a real MLflow and a real BentoML store."""

import time
from concurrent.futures import ThreadPoolExecutor

import mlflow.catboost
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from click.testing import CliRunner, Result
from mlflow.models import Model

from credit_ct_dagster import stores
from credit_ct_dagster.cli.main import main
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.io_managers.artifacts import MODEL_FOLDER
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.calibration import CalibratedModel
from credit_ct_dagster.modeling.confusion import Estimate, Metric
from credit_ct_dagster.modeling.promotion import Comparison, Decision, Ground
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.bentoml_store import Lineage
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry, ModelVersion
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform

_COMPARISON = Comparison(Metric.accuracy, 0.8, 0.7, Estimate(0.1, 0.05, 0.15), 400, 300)
_WINS = Decision(True, Ground.better, "Promoted: better.", _COMPARISON)
_LOSES = Decision(False, Ground.worse, "Not promoted: not better.", _COMPARISON)


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    model = CatBoostClassifier(iterations=2, allow_writing_files=False, verbose=False)
    return model.fit(pd.DataFrame({"x": [0.0, 1.0, 2.0]}), schema.CLASSES)


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
    lineage = Lineage(base_dt, run_id, f"dagster-{base_dt}", "f" * 32)
    platform.packages.save(CalibratedModel(fitted, None, ["x"]), {}, lineage, {"seen_share": 0.85})
    return run_id


def _decide(
    platform: Platform, fitted: CatBoostClassifier, base_dt: str, decision: Decision
) -> ModelVersion:
    run_id = _packaged(platform, fitted, base_dt)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(base_dt, run_id)
        deciding.record(model, decision)
    return model


def _roles(platform: Platform) -> dict[str, str]:
    return {
        package.info.labels["base_dt"]: package.info.labels["role"]
        for package in platform.packages.packages()
        if "role" in package.info.labels
    }


def test_a_promotion_is_seen_everywhere(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Aliases, labels and the record tell the same, first with one champion, then with two."""
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
    assert [record["number"] for record in records] == [1, 2, 3]
    assert [record["champion"] for record in records] == [first.version] + 2 * [second.version]
    assert records[2]["before"]["version"] == second.version
    assert records[2]["model"] == vars(third)
    loaded = mlflow.catboost.load_model(f"models:/{platform.model_name}@champion")
    assert isinstance(loaded, CatBoostClassifier)
    version = platform.tracking.client.get_model_version_by_alias(platform.model_name, "champion")
    assert version.tags["credit_ct.bentoml_tag"] == second.bentoml_tag
    assert version.run_id == second.mlflow_run_id


def test_records_are_history_for_the_gate(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Only what was compared with a champion counts."""
    _decide(platform, fitted, "2025-03-01", Decision(True, Ground.first, "Promoted."))
    _decide(platform, fitted, "2025-03-03", _LOSES)
    cooling = Decision(False, Ground.cooling_down, "Not promoted: too soon.", _COMPARISON)
    _decide(platform, fitted, "2025-03-04", cooling)
    with platform.promotions.deciding() as deciding:
        found = [(past.base_dt, past.better) for past in deciding.history()]
    assert found == [("2025-03-03", False), ("2025-03-04", True)]


def test_a_model_is_registered_once(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Packaged again, its version names the new package, which has the champion's label then."""
    model = _decide(platform, fitted, "2025-03-01", _WINS)
    again = Lineage("2025-03-01", model.mlflow_run_id, "another-run", "f" * 32)
    package = CalibratedModel(fitted, None, ["x"])
    tag = platform.packages.save(package, {}, again, {"seen_share": 0.85})
    with platform.promotions.deciding() as deciding:
        registered = deciding.register("2025-03-01", model.mlflow_run_id)
    assert (registered.version, registered.bentoml_tag) == (model.version, tag)
    labelled = [p for p in platform.packages.packages() if p.info.labels.get("role")]
    assert [str(package.tag) for package in labelled] == [tag]


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
    client.set_registered_model_alias(platform.model_name, "champion", second.version)
    with platform.promotions.deciding() as deciding:
        assert platform.promotions.champion() == second
        with pytest.raises(CreditCtError, match="credit-ct promote"):
            deciding.promotion_of(second.version)
        assert deciding.promotion_of(first.version)["number"] == 1


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_an_alias_moved_by_hand_is_put_on_record(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """As the doctor asks for: onto the one that served before, which nobody is twice then."""
    monkeypatch.setattr(stores, "promotions", lambda: platform.promotions)
    monkeypatch.setattr(stores, "artifacts", lambda: platform.artifacts)
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    second = _decide(platform, fitted, "2025-03-03", _WINS)
    summary = {"summary.json": {"mlflow": {"best_run_id": first.mlflow_run_id}}}
    platform.artifacts.write(MODEL_FOLDER, "2025-03-01", summary)
    client = platform.tracking.client
    client.set_registered_model_alias(platform.model_name, "champion", first.version)
    with pytest.raises(CreditCtError, match="promote or credit-ct rollback"):
        platform.promotions.agreement()
    which = ("--partition", "2025-03-01") if command == "promote" else ()
    done = _ask(command, *which, "--by", "Kim", "--reason", "it was me")
    assert done.exit_code == 0, done.output
    assert (platform.promotions.champion(), platform.promotions.previous()) == (first, second)
    assert platform.promotions.agreement().startswith("version 1 of base date 2025-03-01")


def test_a_run_without_package_is_refused(platform: Platform) -> None:
    with (
        pytest.raises(CreditCtError, match="is not packaged: materialize bentoml_model"),
        platform.promotions.deciding() as deciding,
    ):
        deciding.register("2025-03-01", "0" * 32)


def test_a_model_that_mlflow_lost_is_refused(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """Somebody deleted it there, before it was registered: only a new search helps."""
    run_id = _packaged(platform, fitted, "2025-03-01")
    client = platform.tracking.client
    [model] = client.search_logged_models([platform.tracking.experiment_id()])
    client.delete_logged_model(model.model_id)
    with (
        platform.promotions.deciding() as deciding,
        pytest.raises(CreditCtError, match=r"has no model any more: .* resume: false"),
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
            artifacts=platform.artifacts, lock_url=url,
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


def _ask(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_person_can_overrule_the_gate(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promote and roll back by command, with a name and a reason, which stay on record."""
    monkeypatch.setattr(stores, "promotions", lambda: platform.promotions)
    monkeypatch.setattr(stores, "artifacts", lambda: platform.artifacts)
    first = _decide(platform, fitted, "2025-03-01", _WINS)
    run_id = _packaged(platform, fitted, "2025-03-03")
    summary = {"summary.json": {"mlflow": {"best_run_id": run_id}}}
    platform.artifacts.write(MODEL_FOLDER, "2025-03-03", summary)

    nothing = _ask("rollback", "--by", "Lee", "--reason", "complaints")
    assert nothing.exit_code == 1
    assert "There is no previous champion" in nothing.output
    promote = ("promote", "--partition", "2025-03-03", "--by", "Kim", "--reason", "it is biased")
    done = _ask(*promote)
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.mlflow_run_id == run_id
    again = _ask(*promote)
    assert again.exit_code == 1
    assert "The model of base date 2025-03-03 is the champion already" in again.output
    back = _ask("rollback", "--by", "Lee", "--reason", "complaints")
    assert back.exit_code == 0, back.output
    assert platform.promotions.champion() == first
    assert platform.promotions.previous() == champion
    assert _roles(platform) == {"2025-03-01": "champion", "2025-03-03": "previous"}
    told = [(each["by"], each["reason"]) for each in platform.promotions.records()]
    assert told == [("gate", None), ("Kim", "it is biased"), ("Lee", "complaints")]


def test_a_model_that_does_not_load_is_not_promoted(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by a person: neither one that was never trained, nor one whose package is gone."""
    monkeypatch.setattr(stores, "promotions", lambda: platform.promotions)
    monkeypatch.setattr(stores, "artifacts", lambda: platform.artifacts)
    person = ("--by", "Kim", "--reason", "why not")
    untrained = _ask("promote", "--partition", "2025-03-05", *person)
    assert untrained.exit_code == 1
    assert "summary.json does not exist" in untrained.output
    summary = {"summary.json": {"mlflow": {"best_run_id": "0" * 32}}}
    platform.artifacts.write(MODEL_FOLDER, "2025-03-05", summary)
    unpackaged = _ask("promote", "--partition", "2025-03-05", *person)
    assert unpackaged.exit_code == 1
    assert "is not packaged" in unpackaged.output
    assert platform.promotions.records() == []


def test_a_card_is_found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one, or that of a base date; the path is printed for those without a browser."""
    monkeypatch.setattr(stores, "artifacts", lambda: platform.artifacts)
    assert "No base date has a model card yet" in _ask("report").output
    for base_dt in ("2025-03-01", "2025-03-03"):
        platform.artifacts.write(MODEL_FOLDER, base_dt, {"model_card.html": "<html></html>"})
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    newest = _ask("report")
    path = platform.models("2025-03-03").path / "model_card.html"
    assert newest.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert "2025-03-01" in _ask("report", "--partition", "2025-03-01", "--no-open").output
    assert len(opened) == 1
    absent = _ask("report", "--partition", "2025-03-02")
    assert "Base date 2025-03-02 has no model card" in absent.output
