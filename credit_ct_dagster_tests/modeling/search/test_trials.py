"""The outcome of a trial, as its study keeps it."""

import optuna
import pytest
from optuna.trial import TrialState as StudyState

from credit_ct_dagster.errors.stores import NewerRecordError, UnreadableRecordError
from credit_ct_dagster.modeling.search.tuning import retained_trials
from credit_ct_dagster_tests.modeling.conftest import new_study, search


def _study_with(outcome: object) -> optuna.Study:
    """A study with one trial that left an outcome when its process was killed."""
    study = new_study(search())
    study.ask(search().distributions()).set_user_attr("outcome", outcome)
    return study


_OUTCOME_OF_0_1 = {
    "number": 0,
    "params": {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 3.0},
    "state": "completed",
    "iterations": 20,
    "metrics": {"accuracy": 0.7, "log_loss": 0.8},
    "reason": None,
    "seconds": 0.1,
    "tracking_seconds": 0.2,
    "run_id": "abc",
}
"""As release 0.1 wrote it."""


def test_an_outcome_that_release_0_1_wrote_is_retained() -> None:
    """With every value, and whole numbers as such; the trial counts as completed from then on."""
    study = _study_with(_OUTCOME_OF_0_1)
    [trial] = retained_trials(study)
    assert trial.model_dump(exclude={"version"}) == _OUTCOME_OF_0_1 | {"trees": []}
    assert isinstance(trial.params["depth"], int)
    assert study.trials[0].state == StudyState.COMPLETE


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"number": 0}, UnreadableRecordError),
        ("completed", UnreadableRecordError),
        (_OUTCOME_OF_0_1 | {"state": "lost"}, UnreadableRecordError),
        (_OUTCOME_OF_0_1 | {"metrics": {"accuracy": 0.7}}, UnreadableRecordError),
        (_OUTCOME_OF_0_1 | {"version": 9}, NewerRecordError),
    ],
)
def test_a_broken_outcome_is_a_sentence_with_the_way_out(
    broken: object, error: type[Exception]
) -> None:
    """The study, the trial, and how to search without them."""
    study = _study_with(broken)
    with pytest.raises(
        error, match=f"trial 0 in the Optuna study {study.study_name}.*resume: false"
    ):
        retained_trials(study)
