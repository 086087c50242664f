"""How trials on threads compare themselves, without reading the study."""

import optuna
import pytest

from credit_ct_dagster.modeling.search.optuna_internals import continued, storage_id
from credit_ct_dagster.modeling.search.standings import (
    LocalStandings,
    Standing,
    StudyStandings,
)


@pytest.fixture
def study() -> optuna.Study:
    """Three trials of an earlier attempt: one completed, one was killed, one was pruned."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for losses in ({6: 0.5, 30: 0.4}, {6: 0.6}, {6: 0.9}):
        trial = study.ask()
        for rung, loss in losses.items():
            trial.report(loss, rung)
    study.tell(0, 0.3)
    study.tell(2, state=optuna.trial.TrialState.PRUNED)
    return study


def _again(study: optuna.Study, number: int) -> optuna.Trial:
    return continued(study, storage_id(study.trials[number]))


def test_trials_of_earlier_attempts_are_known(study: optuna.Study) -> None:
    """What ended counts; what was killed reports once more, and later ones wait for it."""
    standings = LocalStandings()
    killed, new = _again(study, 1), study.ask()
    standings.join(killed)
    standings.join(new)
    assert standings.rungs_of(killed) == set()
    assert standings.up_to(new) == [
        Standing({6: 0.5, 30: 0.4}, running=False),
        Standing({}, running=True),
        Standing({6: 0.9}, running=False),
        Standing({}, running=True),
    ]
    standings.report(killed, 6, 0.6)
    standings.end(killed)
    assert standings.up_to(killed)[1] == Standing({6: 0.6}, running=False)
    assert len(standings.up_to(killed)) == 2, "only those that were started before"


def test_losses_reach_the_study_once(study: optuna.Study) -> None:
    """A killed process wrote the first one; without an error, the others follow."""
    standings, killed = LocalStandings(), _again(study, 1)
    standings.join(killed)
    standings.report(killed, 6, 0.6)
    standings.report(killed, 30, 0.55)
    assert study.trials[1].intermediate_values == {6: 0.6}
    standings.write(killed)
    assert study.trials[1].intermediate_values == {6: 0.6, 30: 0.55}


def test_the_study_has_the_same_standings(study: optuna.Study) -> None:
    """Trials on other machines see what trials on threads see."""
    local, shared = LocalStandings(), StudyStandings()
    first, second = _again(study, 1), study.ask()
    for trial in (first, second):
        local.join(trial)
    local.report(first, 6, 0.6)
    for standings in (local, shared):
        standings.report(second, 6, 0.7)
    assert local.up_to(second) == shared.up_to(second)
    assert shared.rungs_of(second) == local.rungs_of(second) == {6}
