"""Run configuration is refused before anything runs."""

from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.definitions import build
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.platform import BASE_DT


@pytest.fixture
def job(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.JobDefinition:
    """The main job of a code location that was started with the defaults."""
    settings = Settings(_env_file=None)
    for name, value in settings.exported().items():
        monkeypatch.setenv(name, value)
    return build(settings).resolve_job_def("continuous_training")


@pytest.mark.parametrize(
    ("asset", "config", "message"),
    [
        ("tuned_runs", {"dept": [7]}, 'unexpected config entry "dept"'),
        ("tuned_runs", {"depth": "seven"}, "depth"),
        ("tuned_runs", {"depth": [99]}, "tuned_runs: depth: .*between 1 and 16, which 99"),
        ("tuned_runs", {"learning_rate": -1.0}, "tuned_runs: learning_rate: .*greater than 0"),
        ("tuned_runs", {"sampler": "tpe"}, "needs max_trials or max_seconds"),
        ("tuned_runs", {"n_jobs": 0}, "tuned_runs: n_jobs: .*-1, or 1 and more"),
        ("preprocessing", {"train_share": 0.9, "val_share": 0.1}, "the rest is the holdout"),
        ("bentoml_model", {"calibrate_on": "../x"}, "bentoml_model: calibrate_on: "),
        ("bentoml_model", {"calibrate_on": "20250131"}, "calibrate_on: .*must be a base date"),
        ("champion_model", {"margin": float("inf")}, "champion_model: margin: .*finite number"),
        ("tuned_runs", {"rsm": [float("nan")]}, "tuned_runs: rsm: "),
        ("tuned_runs", {"monotone": 1}, "monotone"),
        ("bentoml_model", {"protected_features": ["age"]}, "unexpected config entry"),
    ],
)
def test_a_wrong_key_or_value_stops_the_run_when_it_is_planned(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    asset: str,
    config: dict[str, Any],
    message: str,
) -> None:
    """Names, types and limits are all checked then, so no step has run."""
    with pytest.raises(dg.DagsterInvalidConfigError, match=message):
        job.execute_in_process(
            partition_key=BASE_DT,
            run_config={"ops": {asset: {"config": config}}},
            instance=instance,
        )
    assert not any(run.is_success for run in instance.get_runs())
    assert instance.fetch_materializations(dg.AssetKey("features_target"), limit=1).records == []


@pytest.mark.parametrize("asset", ["tuned_runs", "preprocessing", "bentoml_model"])
def test_every_option_is_documented_and_has_a_default(job: dg.JobDefinition, asset: str) -> None:
    """The launchpad explains each option."""
    schema = job.get_node_named(asset).definition
    fields: Any = getattr(getattr(schema.config_schema, "config_type", None), "fields", {})
    assert fields
    for name, field in fields.items():
        assert field.description, name
        assert not field.is_required, name
