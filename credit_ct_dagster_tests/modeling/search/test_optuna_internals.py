"""What Optuna does not publish, and the platform uses."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

import credit_ct_dagster
from credit_ct_dagster.errors.operation import LibraryChangedError
from credit_ct_dagster.modeling.search.optuna_internals import begun, continued, storage_id
from credit_ct_dagster.modeling.search.search_space import TuningParameters


def test_a_trial_can_be_continued_by_its_id() -> None:
    """If this fails after an upgrade of Optuna: see modeling/search/optuna_internals.py."""
    study = optuna.create_study()
    started = study.ask()
    started.report(0.5, 3)
    assert storage_id(started) == storage_id(study.trials[0])
    again = continued(study, storage_id(started))
    assert again.number == started.number
    again.report(0.4, 6)
    assert study.trials[0].intermediate_values == {3: 0.5, 6: 0.4}


def test_a_known_candidate_is_started_at_once() -> None:
    """If this fails after an upgrade of Optuna: see modeling/search/optuna_internals.py."""
    study, distributions = optuna.create_study(), TuningParameters().distributions()
    candidate = {"depth": 8, "rsm": 0.9, "l2_leaf_reg": 5.0}
    study.ask()
    trial = begun(study, candidate, distributions, {"retry_of": 0})
    assert (trial.number, trial.params) == (1, candidate)
    stored = study.trials[1]
    assert (stored.state, stored.params) == (TrialState.RUNNING, candidate)
    assert stored.user_attrs == {"retry_of": 0}
    study.tell(trial, 0.5)
    assert study.best_params == candidate


def test_a_study_without_its_storage_is_explained() -> None:
    """The sentence names the module to adapt and the way out."""
    candidate, distributions = TuningParameters().centre(), TuningParameters().distributions()
    with pytest.raises(LibraryChangedError, match=r"_storage.*optuna_internals.*constraints"):
        begun(object(), candidate, distributions, {})  # type: ignore[arg-type]


def test_a_trial_without_an_id_is_explained() -> None:
    """The sentence names the module to adapt and the way out."""
    with pytest.raises(
        LibraryChangedError, match=r"no `_trial_id` .*optuna_internals.*constraints"
    ):
        storage_id(object())  # type: ignore[arg-type]


def test_no_other_module_uses_the_id() -> None:
    """One place to adapt."""
    package = Path(credit_ct_dagster.__file__).parent
    users = [file.name for file in package.rglob("*.py") if "._trial_id" in file.read_text()]
    assert users == ["optuna_internals.py"]


def test_a_trial_that_was_interrupted_while_it_was_drawn_is_completed() -> None:
    """Optuna stores parameters one by one: the missing ones are taken from the queue."""
    study, distributions = optuna.create_study(), TuningParameters().distributions()
    candidate = {"depth": 8, "rsm": 0.9, "l2_leaf_reg": 5.0}
    study.enqueue_trial(candidate)
    interrupted = study.ask({"depth": distributions["depth"]})
    assert interrupted.params == {"depth": 8}
    assert continued(study, storage_id(interrupted), distributions).params == candidate
    assert study.trials[0].params == candidate
