"""A run configuration that is refused: the key and its neighbours, in a line."""

from enum import StrEnum
from typing import Any

import dagster as dg
import pytest
from pydantic import Field

from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.runs.config_errors import shortly, shortly_of_text, unexpected


class _Preset(StrEnum):
    off = "off"
    quality = "quality"


class _Config(dg.Config):
    depth: int = 3
    preset: _Preset = _Preset.off
    rsm: list[float] = Field(default=[])
    low: dict[str, float] = Field(default={})


@dg.op
def tuned_runs(config: _Config) -> None:
    """Does nothing."""


@dg.job
def _job() -> None:
    tuned_runs()


def _config(**values: Any) -> dict[str, Any]:
    return {"ops": {"tuned_runs": {"config": values}}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"tuned_runs": {"config": {}}},
            "'tuned_runs' is not expected: there may be execution, loggers, ops, resources",
        ),
        (
            {"ops": {"tuned_run": {}}},
            "'tuned_run' is not expected in ops (did you mean tuned_runs?):"
            " there may be tuned_runs",
        ),
        (
            {"ops": {"tuned_runs": {"depth": 3, "preset": "bank"}}},
            "'depth' is not expected in ops.tuned_runs: there may be config; 'preset' is not"
            " expected in ops.tuned_runs: there may be config",
        ),
        (
            {"ops": {"tuned_runs": {"config": {"presets": "bank"}}}},
            "'presets' is not expected in ops.tuned_runs.config (did you mean preset?):"
            " there may be depth, low, preset, rsm",
        ),
        ({"ops": [1]}, "ops must give its values by name"),
        ({"ops": {"tuned_runs": None}}, "ops.tuned_runs must have a value"),
        (_config(depth="much"), "ops.tuned_runs.config.depth must be a whole number, not much"),
        (_config(rsm=0.1), "ops.tuned_runs.config.rsm must be a list"),
        (_config(rsm=[1, "a"]), "ops.tuned_runs.config.rsm[1] must be a number, not a"),
        (_config(low={"age": "x"}), "ops.tuned_runs.config.low.age must be a number, not x"),
        (
            _config(preset=False),
            "ops.tuned_runs.config.preset must be 'off' or 'quality', in quotes (YAML takes yes,"
            " no, on and off for others)",
        ),
        (
            _config(preset="Quality"),
            "ops.tuned_runs.config.preset must be 'off' or 'quality', not Quality",
        ),
    ],
)
def test_what_is_refused_is_named_with_what_is_accepted(given: dict[str, Any], said: str) -> None:
    """Dagster's own message has the schema of all that is below."""
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(_job, given)
    assert shortly(refused.value) == said


def test_a_message_on_record_is_as_short() -> None:
    """As Dagster keeps it of a backfill: text, without the words that an option may have."""
    given = {"ops": {"tuned_runs": {"config": {"presets": "a", "depth": "b", "preset": "c"}}}}
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(_job, given)
    said = shortly_of_text(f"dagster._core.errors.DagsterInvalidConfigError: {refused.value}\n")
    assert sorted(said.split("; ")) == [
        "'presets' is not expected in ops.tuned_runs.config (did you mean preset?): there may be"
        " depth, low, preset, rsm",
        "ops.tuned_runs.config.depth must be a whole number, not b",
        "ops.tuned_runs.config.preset must be one of a few words, not c",
    ]
    assert shortly_of_text("any\n  other") == "any other"
    assert len(shortly_of_text("word " * 1_000)) < 320


def test_what_the_platform_refuses_refers_to_the_runbook_once() -> None:
    """Whoever quotes it adds the code."""
    error = dg.DagsterInvalidConfigError("text", errors=[], config_value={})
    error.__cause__ = RunConfigError("approval: RUN_CONFIG says required.")
    assert shortly(error) == "approval: RUN_CONFIG says required"


def test_of_many_names_the_likely_ones_are_listed() -> None:
    """Nobody reads a hundred."""
    names = [f"option_{number}" for number in range(100)]
    said = unexpected("option_42x", "here", names)
    assert "(did you mean option_42?)" in said
    assert said.endswith("92 more")
