"""What is searched."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_ct_dagster.assets.tuned_runs import TuningConfig
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.search_space import Text, TuningParameters
from credit_ct_dagster_tests.modeling.conftest import new_study, run, search


def test_the_default_search_is_the_seeds_27_candidates() -> None:
    """Depth x rsm x l2_leaf_reg, with the seed's fixed parameters."""
    parameters = TuningParameters()
    candidates = parameters.candidates()
    assert len(candidates) == parameters.total() == 27
    assert candidates[0] == {"depth": 7, "rsm": 0.8, "l2_leaf_reg": 3}
    assert candidates[-1] == {"depth": 9, "rsm": 1.0, "l2_leaf_reg": 7}
    assert parameters.centre() == {"depth": 8, "rsm": 0.9, "l2_leaf_reg": 5}
    assert parameters.fixed() == {
        "loss_function": "MultiClassOneVsAll",
        "learning_rate": 0.3,
        "iterations": 2000,
        "early_stopping_rounds": 50,
        "random_seed": 42,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"depth": [17]}, {"depth": []}, {"rsm": [0.5, 0.5]}, {"rsm": [1.5]}, {"learning_rate": 0},
     {"loss_function": "RMSE"}, {"l2_leaf_reg": [-1.0]}, {"iterations": 0}, {"sampler": "guess"},
     {"sampler": "tpe"}, {"sampler": "random"}, {"max_trials": 0}, {"max_seconds": 0},
     {"pruning_rungs": []}, {"pruning_rungs": [20, 10]}, {"pruning_rungs": [0, 10]},
     {"pruning_rungs": [10, 10]}, {"pruning_keep": 0}, {"pruning_keep": 1.1}],
)  # fmt: skip
def test_values_outside_their_limits_are_refused(wrong: dict[str, Any]) -> None:
    """Each parameter has limits, and a search that draws has an end."""
    with pytest.raises(ValidationError):
        TuningParameters(**wrong)


def test_quality_replaces_what_is_left_at_the_banks_defaults() -> None:
    """The launchpad passes every default; whoever changes a value keeps it."""
    quality = TuningParameters(preset="quality")
    assert quality.learning_rate == 0.05
    assert quality.depth == [6]
    assert quality.total() == 3
    assert quality.iterations > TuningParameters().iterations
    assert min(quality.pruning_rungs) > max(TuningParameters().pruning_rungs)
    passed = TuningParameters(**TuningParameters().model_dump() | {"preset": "quality"})
    assert passed == quality
    own = TuningParameters(preset="quality", depth=[4], learning_rate=0.1)
    assert (own.depth, own.learning_rate, own.rsm) == ([4], 0.1, quality.rsm)
    config = TuningConfig.model_validate({"preset": "quality", "n_jobs": 2})
    assert config.parameters() == quality
    assert TuningParameters(preset="bank") == TuningParameters()


def test_a_preset_is_the_values_that_it_stands_for() -> None:
    """Written out or by name, it is the same search, whose trials are retained."""
    quality = TuningParameters(preset="quality")
    written = TuningParameters(**quality.model_dump() | {"preset": "bank"})
    assert written.fingerprint(["age"], "rows") == quality.fingerprint(["age"], "rows")
    assert written.fingerprint(["age"], "rows") != TuningParameters().fingerprint(["age"], "rows")


def test_monotone_models_have_a_loss_of_their_own() -> None:
    """MLflow shows the one that was minimised; another one is not taken and ignored."""
    assert TuningParameters(monotone=True).fixed()["loss_function"] == "Logloss"
    with pytest.raises(ValidationError, match="leave loss_function at its default"):
        TuningParameters(monotone=True, loss_function="MultiClass")


_values = {
    "depth": st.lists(st.integers(1, 16), min_size=1, max_size=4, unique=True),
    "rsm": st.lists(st.floats(0.01, 1), min_size=1, max_size=4, unique=True),
    "l2_leaf_reg": st.lists(st.floats(0, 100), min_size=1, max_size=4, unique=True),
}


@given(st.fixed_dictionaries(_values), st.sampled_from(["random", "tpe"]), st.integers(0, 5))
def test_draws_lie_within_the_lists(lists: dict[str, Any], sampler: str, seed: int) -> None:
    """Whatever the lists: draws, the centre and every combination belong to the search."""
    grid = TuningParameters(**lists)
    drawing = TuningParameters(**lists, sampler=sampler, max_trials=3, random_seed=seed)
    study = new_study(drawing)
    for _ in range(3):
        drawn = study.ask(drawing.distributions()).params
        assert drawing.contains(drawn)
        assert isinstance(drawn["depth"], int)
    assert grid.contains(grid.centre())
    assert all(grid.contains(each) and drawing.contains(each) for each in grid.candidates())
    assert not drawing.contains({"depth": 17, "rsm": 0.5, "l2_leaf_reg": 1.0})
    assert not grid.contains({"depth": 17, "rsm": 0.5, "l2_leaf_reg": 1.0})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"max_trials": 3}, True),
        ({"max_seconds": 60.0}, True),
        ({"depth": [4]}, False),
        ({"learning_rate": 0.1}, False),
        ({"random_seed": 1}, False),
        ({"pruning": "successive_halving"}, False),
        ({"early_stopping_rounds": 3}, False),
        ({"monotone": True}, False),
    ],
)
def test_the_fingerprint_distinguishes_searches(changes: dict[str, Any], same: bool) -> None:
    """It changes with all that decides how a trial ends, rows and features too; nothing else."""
    features = schema.FEATURES
    before = search().fingerprint(features, "train", "val")
    assert (search(**changes).fingerprint(features, "train", "val") == before) is same
    assert search().fingerprint(features, "other", "val") != before
    assert search().fingerprint(features[1:], "train", "val") != before


def test_texts_that_are_taken_otherwise_are_another_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So are counts of other kinds, which native texts do not have."""

    def fingerprints() -> dict[Text, str]:
        return {text: search(text=text).fingerprint(schema.FEATURES, "rows") for text in Text}

    before = fingerprints()
    assert before[Text.native] != before[Text.counts]
    loans = schema.COLUMNS["type_of_loan"]
    fewer = loans.model_copy(update={"kinds": loans.kinds[1:]})
    monkeypatch.setitem(schema.COLUMNS, "type_of_loan", fewer)
    after = fingerprints()
    assert after[Text.native] == before[Text.native]
    assert after[Text.counts] != before[Text.counts]


def test_how_texts_are_taken_is_no_parameter_of_catboost() -> None:
    """It decides what CatBoost is given."""
    assert "text" not in search(text="counts").fixed()
    with pytest.raises(ValidationError, match="text"):
        TuningParameters(text="words")


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sampler_draws_other_candidates_after_an_interruption(sampler: str) -> None:
    """The seed makes draws repeatable, and a later attempt does not repeat them."""
    drawing = search(sampler=sampler, max_trials=4, l2_leaf_reg=[1.0, 9.0])

    def draws(before: int) -> list[float]:
        study = new_study(drawing)
        study.sampler = drawing.optuna_sampler(before)
        return [study.ask(drawing.distributions()).params["l2_leaf_reg"] for _ in range(3)]

    assert draws(0) == draws(0)
    assert not set(draws(0)) & set(draws(3))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_drawing_search_ends_at_its_cap(data: Any, sampler: str) -> None:
    """With the favourites first."""
    favourite = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 5.0}
    drawing = search(sampler=sampler, max_trials=3, depth=[2, 4])
    trials = run(data, drawing, favourites=[favourite, {**favourite, "depth": 9}])
    assert len(trials) == 3
    assert trials[0].params == favourite
    assert all(drawing.contains(trial.params) for trial in trials)


def test_it_imports_without_libraries_that_take_seconds() -> None:
    """The code location imports the search space, and fits nothing."""
    code = (
        "import sys, credit_ct_dagster.modeling.search.search_space;"
        "print({'optuna', 'catboost', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
