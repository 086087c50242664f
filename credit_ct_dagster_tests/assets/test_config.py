"""Run configuration is refused before anything runs."""

from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.definitions import defs
from credit_ct_dagster_tests.platform import BASE_DT


@pytest.mark.parametrize(
    ("asset", "config", "said"),
    [
        ("tuned_runs", {"dept": [7]}, 'unexpected config entry "dept"'),
        ("tuned_runs", {"depth": "seven"}, "depth"),
        ("tuned_runs", {"depth": [99]}, "TuningConfig: depth: .*outside 1 to 16"),
        ("tuned_runs", {"learning_rate": -1.0}, "TuningConfig: learning_rate: .*greater than 0"),
        ("tuned_runs", {"sampler": "tpe"}, "needs max_trials or max_seconds"),
        ("tuned_runs", {"n_jobs": 0}, "TuningConfig: n_jobs: .*-1, or 1 and more"),
        ("preprocessing", {"train_share": 0.9, "val_share": 0.1}, "the rest is the holdout"),
    ],
)
def test_a_wrong_key_or_value_stops_the_run_when_it_is_planned(
    instance: dg.DagsterInstance, asset: str, config: dict[str, Any], said: str
) -> None:
    """Names, types and limits are all checked then, so no step has run."""
    with pytest.raises(dg.DagsterInvalidConfigError, match=said):
        defs.resolve_job_def("continuous_training").execute_in_process(
            partition_key=BASE_DT,
            run_config={"ops": {asset: {"config": config}}},
            instance=instance,
        )
    assert not any(run.is_success for run in instance.get_runs())
    assert instance.fetch_materializations(dg.AssetKey("features_target"), limit=1).records == []


@pytest.mark.parametrize("asset", ["tuned_runs", "preprocessing"])
def test_every_option_is_documented_and_has_a_default(asset: str) -> None:
    """The launchpad explains each option."""
    schema = defs.resolve_job_def("continuous_training").get_node_named(asset).definition
    fields: Any = getattr(getattr(schema.config_schema, "config_type", None), "fields", {})
    assert fields
    for name, field in fields.items():
        assert field.description, name
        assert not field.is_required, name
