"""What whoever starts a run may decide: numbers and words of the search, never a place."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.definitions import build
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, CUSTOMER_SCORES, MONITORING
from credit_ct_dagster.settings import Settings

_DEFINITIONS = build(Settings(_env_file=None))
_JOB = _DEFINITIONS.resolve_job_def(CONTINUOUS_TRAINING)
_WORDS = {
    # Refused but for two words by a pattern (`SearchParameters.loss_function`).
    "ops.tuned_runs.config.loss_function",
    # A day, anything else is refused (`PackageConfig`).
    "ops.bentoml_model.config.calibrate_on",
    # Names of columns of the split rows.
    "ops.preprocessed_splits_columns_have_values.config.may_be_empty",
    # Names of patterns, anything else is refused (`SkewRules`).
    "ops.serving_skew.config.tolerated",
    # Of the lines of a log.
    "loggers.console.config.name",
    "loggers.console.config.log_level",
}
_SHAPES = {"STRICT_SHAPE", "PERMISSIVE_SHAPE", "SELECTOR"}
_INNER = {"ARRAY", "NONEABLE", "MAP"}


def _leaves(config_type: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration that is no mapping, with its path."""
    kind = config_type.kind.name
    if kind in _SHAPES:
        assert kind != "PERMISSIVE_SHAPE", f"{path} takes anything"
        for name, field in config_type.fields.items():
            yield from _leaves(field.config_type, f"{path}.{name}" if path else name)
    elif kind in _INNER:
        yield from _leaves(config_type.inner_type, path)
    else:
        yield path, config_type


def _takes_text(config_type: Any) -> bool:
    """Whether a value may be a text that is not one of a list."""
    kind, name = config_type.kind.name, config_type.given_name
    if kind == "SCALAR_UNION":
        return config_type.scalar_type.given_name == "String"
    return kind == "ANY" or (kind == "SCALAR" and name == "String")


def _function(definition: Any) -> Any:
    """The function of an op, an asset or a check."""
    return definition.compute_fn


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (CONTINUOUS_TRAINING, "tuned_runs.config.max_trials"),
        (CUSTOMER_SCORES, "customer_scores.config.chunk_rows"),
        (MONITORING, "champion_health.config.retrain"),
    ],
)
def test_no_run_configuration_names_a_host_a_path_or_a_module(name: str, known: str) -> None:
    """Every text is one of a list, or known here; what ignores its configuration takes anything."""
    job = _DEFINITIONS.resolve_job_def(name)
    leaves = dict(_leaves(job.run_config_schema.config_type))
    assert f"ops.{known}" in leaves
    texts = {path for path, kind in leaves.items() if _takes_text(kind)}
    without = {each.name for each in job.graph.node_defs if not _function(each).has_config_arg()}
    ignoring = {path for path in texts if leaves[path].kind.name == "ANY"}
    assert texts - ignoring <= _WORDS
    for path in ignoring:
        part, name, _ = path.split(".")
        if part == "ops":
            assert name in without
        else:
            assert path == "resources.mlflow.config"


@pytest.mark.parametrize(
    ("resource", "option", "value"),
    [
        ("dask", "scheduler", "tcp://attacker.example.com:8786"),
        ("feature_store", "url", "mysql+pymysql://u:p@attacker.example.com/x"),
        ("artifacts", "base_path", "s3://attacker"),
        ("io_manager", "base_path", "/home/attacker"),
        ("bentoml_store", "home", "/home/attacker"),
        ("tracking", "tracking_uri", "http://attacker.example.com"),
        ("webhook", "url", "http://attacker.example.com"),
        ("mail", "smtp_host", "attacker.example.com"),
    ],
)
def test_a_run_cannot_configure_where_the_platform_connects(
    resource: str, option: str, value: str
) -> None:
    """Dagster itself makes every option of a resource one of the run configuration."""
    with pytest.raises(dg.DagsterInvalidConfigError, match=f'unexpected config entry "{option}"'):
        dg.validate_run_config(_JOB, {"resources": {resource: {"config": {option: value}}}})


def test_mlflows_place_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its resource ignores what a run configures."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///ours.db")
    configured = {"resources": {"mlflow": {"config": {"mlflow_tracking_uri": "http://attacker"}}}}
    resource = _JOB.resource_defs["mlflow"]
    resolved: Any = resource.apply_config_mapping({"config": configured["resources"]["mlflow"]})
    assert resolved.value["config"]["mlflow_tracking_uri"] == "sqlite:///ours.db"


def test_the_search_names_no_scheduler() -> None:
    """A search unpickles what the scheduler sends: its address is that of the environment."""
    config = {"dask_scheduler": "tcp://attacker.example.com:8786"}
    with pytest.raises(dg.DagsterInvalidConfigError, match="dask_scheduler"):
        dg.validate_run_config(_JOB, {"ops": {"tuned_runs": {"config": config}}})
