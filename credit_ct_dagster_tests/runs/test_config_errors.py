"""A run configuration that is refused: the key and its neighbours, in a line."""

from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.runs.config_errors import shortly, unexpected


class _Config(dg.Config):
    depth: int = 3
    preset: str = "bank"


@dg.op
def tuned_runs(config: _Config) -> None:
    """Does nothing."""


@dg.job
def _job() -> None:
    tuned_runs()


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
            " there may be depth, preset",
        ),
        ({"ops": [1]}, "Value at path root:ops must be dict"),
    ],
)
def test_a_misplaced_key_is_named_with_its_neighbours(given: dict[str, Any], said: str) -> None:
    """Dagster's own message has the schema of all that is below."""
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(_job, given)
    assert shortly(refused.value) == said


def test_a_value_of_another_type_is_named_with_its_place() -> None:
    """As Dagster does, which is short there."""
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(_job, {"ops": {"tuned_runs": {"config": {"depth": "much"}}}})
    assert shortly(refused.value).startswith("Invalid scalar at path root:ops:tuned_runs:config:")


def test_of_many_names_the_likely_ones_are_listed() -> None:
    """Nobody reads a hundred."""
    names = [f"option_{number}" for number in range(100)]
    said = unexpected("option_42x", "here", names)
    assert "(did you mean option_42?)" in said
    assert said.endswith("92 more")
