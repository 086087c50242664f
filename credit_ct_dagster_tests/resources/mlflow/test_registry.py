"""Registered versions, as this release and others write them."""

import pytest

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import MissingModelError
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster_tests.platform import BASE_DT, Platform

_TAGS_OF_0_1 = {
    "credit_ct.base_dt": BASE_DT,
    "credit_ct.mlflow_run_id": "run",
    "credit_ct.bentoml_tag": "m:old",
    "credit_ct.dagster_run_id": "dagster",
    "credit_ct.data_fingerprint": "f" * 32,
}


def test_a_version_of_release_0_1_is_read(platform: Platform) -> None:
    """Its tags are the fields of an identity; a version registered by hand is not listed."""
    client, registry = platform.tracking.client, ModelRegistry(platform.tracking)
    client.create_registered_model(registry.name)
    client.create_model_version(registry.name, "elsewhere", tags=_TAGS_OF_0_1)
    run = client.create_run(
        platform.tracking.experiment_id(), tags={"credit_ct.base_dt": "2025-03-09"}
    )
    client.create_model_version(registry.name, "elsewhere", run.info.run_id)
    for alias, version in (("champion", "1"), ("somebodys", "2")):
        registry.set_alias(alias, version)
    expected = ModelIdentity(
        base_dt=BASE_DT,
        mlflow_run_id="run",
        dagster_run_id="dagster",
        data_fingerprint="f" * 32,
        bentoml_tag="m:old",
        registered_model=registry.name,
        registered_version="1",
    )
    assert registry.versions() == [expected]
    assert registry.with_alias("champion") == expected
    assert registry.aliased() == {"champion": BASE_DT, "somebodys": "2025-03-09"}
    registry.set_alias("champion", None)
    assert registry.with_alias("champion") is None


def test_a_model_that_was_deleted_cannot_be_registered(platform: Platform) -> None:
    """The sentence names the base date and the way out."""
    identity = ModelIdentity(
        base_dt=BASE_DT,
        mlflow_run_id="0" * 32,
        dagster_run_id="dagster",
        data_fingerprint="f" * 32,
    )
    with pytest.raises(MissingModelError, match=f"base date {BASE_DT} was deleted.*resume: false"):
        ModelRegistry(platform.tracking).register(identity, platform.packages)
