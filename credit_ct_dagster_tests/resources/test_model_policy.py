"""What the bank declares once about every model, and what is refused before anything runs."""

import json

import pytest

from credit_ct_dagster.contracts.utility import DEFAULT_COSTS, Metric, Utility
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring


def _declared(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Wiring:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Wiring(Settings(_env_file=None))


def test_a_bank_that_declares_nothing_wants_each_class_to_count_the_same() -> None:
    """Macro-F1, every feature, and age as protected."""
    policy = Wiring(Settings(_env_file=None)).policy
    assert policy.chosen_for == policy.declared == Utility(metric=Metric.macro_f1)
    assert policy.features == schema.FEATURES
    assert policy.protected_features == ["age"]
    assert [list(row) for row in DEFAULT_COSTS] == policy.cost_matrix


def test_everything_is_declared_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write it: JSON for the matrix, commas for features, and the word none."""
    policy = _declared(
        monkeypatch,
        UTILITY="expected_cost",
        COST_MATRIX="[[0, 1, 9], [1, 0, 1], [2, 1, 0]]",
        CLASS_RULE="highest_score",
        EXCLUDED_FEATURES="age, occupation",
        PROTECTED_FEATURES="none",
    ).policy
    assert policy.declared == Utility(
        metric=Metric.expected_cost, costs=[[0, 1, 9], [1, 0, 1], [2, 1, 0]]
    )
    assert policy.chosen_for is None
    excluded = [name for name in schema.FEATURES if name not in policy.features]
    assert excluded == ["age", "occupation"]
    assert policy.protected_features == []


@pytest.mark.parametrize(
    "costs",
    [
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],  # an error that costs nothing beside one that does
        [[-3, 0, 0], [0, -1, 0], [0, 0, -2]],  # what it is worth to be right
        [[0, 1, 1e6], [1, 0, 1], [2, 1, -1e6]],
    ],
)
def test_unusual_costs_are_accepted_where_they_tell_an_error_apart(
    monkeypatch: pytest.MonkeyPatch, costs: list[list[float]]
) -> None:
    """Some error of each class costs more than being right, at most a million."""
    assert _declared(monkeypatch, COST_MATRIX=json.dumps(costs)).policy.cost_matrix == costs


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        (
            "COST_MATRIX",
            "[[0, 1], [1, 0]]",
            "COST_MATRIX: .*a row for each of Poor, Standard, Good",
        ),
        ("COST_MATRIX", "[[0, 1, NaN], [1, 0, 1], [1, 1, 0]]", "COST_MATRIX: .*finite numbers"),
        ("COST_MATRIX", "[[0, 1, 2], [1, 3, 1], [2, 1, 0]]", "COST_MATRIX: .*Standard customer"),
        ("COST_MATRIX", "[[0, 0, 0], [0, 0, 0], [0, 0, 0]]", "COST_MATRIX: .*Poor customer"),
        ("COST_MATRIX", "[[1, 1, 1], [1, 1, 1], [1, 1, 1]]", "COST_MATRIX: .*Poor customer"),
        ("COST_MATRIX", "[[0, 1, 2], [1, 0, 1], [3, 3, 3]]", "COST_MATRIX: .*Good customer"),
        ("COST_MATRIX", "[[0, 1, 1e308], [1, 0, 1], [2, 1, 0]]", "COST_MATRIX: .*1,000,000"),
        ("COST_MATRIX", "[[-1e308, 1, 2], [1, 0, 1], [2, 1, 0]]", "COST_MATRIX: .*1,000,000"),
        ("EXCLUDED_FEATURES", "ssn", "EXCLUDED_FEATURES: .*ssn: not a feature"),
        ("EXCLUDED_FEATURES", ",".join(schema.NUMERIC), "EXCLUDED_FEATURES: .*leaves no number"),
        ("EXCLUDED_FEATURES", ",".join(schema.WORDS), "EXCLUDED_FEATURES: .*no category or text"),
        ("PROTECTED_FEATURES", "gender", "PROTECTED_FEATURES: .*gender: not a feature"),
        ("UTILITY", "profit", "UTILITY"),
        ("CLASS_RULE", "dice", "CLASS_RULE"),
    ],
)
def test_what_cannot_hold_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    """A transposed word or matrix would otherwise decide over every customer."""
    with pytest.raises((SettingsError, ValueError), match=f"(?i){problem}"):
        _ = _declared(monkeypatch, **{variable: value}).policy
