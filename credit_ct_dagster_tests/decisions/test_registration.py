"""Versions of packages in MLflow, with a real MLflow and a real BentoML store."""

import mlflow.catboost
import mlflow.pyfunc
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.errors.models import (
    DeletedInMlflowError,
    MissingPackageError,
)
from credit_ct_dagster_tests.decisions.decided import (
    WINS,
    decide,
    identity_of,
    packaged,
    save,
)
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def test_a_content_is_registered_once(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Packaged again, its version names the new package, which has the champion's label then."""
    model = decide(platform, fitted, "2025-03-01", WINS)
    again = identity_of("2025-03-01", model.mlflow_run_id, "another-run")
    tag = save(platform, fitted, again)
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
    first = decide(platform, fitted, "2025-03-01", WINS)
    second = decide(platform, fitted, "2025-03-03", WINS)
    model = second if champion else first
    again = identity_of(model.base_dt, model.mlflow_run_id, "another-run")
    tag = save(platform, fitted, again, center=1.0)
    with platform.promotions.deciding() as deciding:
        registered = deciding.register(model.base_dt, model.mlflow_run_id)
        assert deciding.register(model.base_dt, model.mlflow_run_id) == registered
        assert deciding.promotion_of(second.registered_version).number == 2
        # Whoever recorded it may have been killed before it was shown.
        assert [each.number for each in deciding.to_show] == [3, 2]
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
    run_id = packaged(platform, fitted, "2025-03-01")
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
        deciding.record(old, WINS)
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

    run_id = packaged(platform, fitted, "2025-03-01")
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
    run_id = packaged(platform, fitted, "2025-03-01")
    platform.tracking.client.delete_run(run_id)
    with (
        platform.promotions.deciding() as deciding,
        pytest.raises(DeletedInMlflowError, match="mlflow runs restore --run-id"),
    ):
        deciding.register("2025-03-01", run_id)
