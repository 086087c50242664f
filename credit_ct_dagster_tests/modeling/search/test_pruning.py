"""The rule by which candidates are pruned."""

import math
from collections.abc import Sequence

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from credit_ct_dagster.modeling.search.optuna_internals import continued, storage_id
from credit_ct_dagster.modeling.search.pruning import SuccessiveHalving
from credit_ct_dagster.modeling.search.standings import Standing, StudyStandings


def _study(losses: list[float | None], rung: int = 10) -> optuna.Study:
    """Trials that have reported a loss at a rung, or (None) have not reached it yet."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    for loss in losses:
        trial = study.ask()
        if loss is not None:
            trial.report(loss, rung)
    return study


def _standings(study: optuna.Study, number: int) -> Sequence[Standing]:
    """What a trial is compared with."""
    return StudyStandings().up_to(continued(study, storage_id(study.trials[number])))


@pytest.mark.parametrize(
    ("losses", "keep", "verdict"),
    [
        ([0.5], 0.5, False),  # the first continues
        ([0.4, 0.5], 0.5, True),
        ([0.5, 0.4], 0.5, False),
        ([0.4, 0.5, 0.45], 0.5, False),  # second of three: ceil(1.5) continue
        ([0.4, 0.5, 0.45], 1 / 3, True),
        ([0.4, 0.4], 0.5, True),  # of equals the earlier
        ([0.4, 0.5, 0.6, 0.7], 1.0, False),
        ([0.4, math.nan], 0.5, True),
        ([math.nan, 0.9], 0.5, False),
        ([0.4, None, 0.9], 0.5, None),  # an earlier one has not reached the rung yet
    ],
)
def test_the_best_of_those_that_started_earlier_continue(
    losses: list[float | None], keep: float, verdict: bool | None
) -> None:
    """The last of the trials is among the best ceil(keep · n), or it is pruned."""
    study = _study(losses)
    halving = SuccessiveHalving([10], keep)
    assert halving.falls_behind(_standings(study, len(losses) - 1), 10) is verdict


def test_trials_that_ended_before_the_rung_do_not_count() -> None:
    """Neither those that were pruned at an earlier one, nor those that failed."""
    study = _study([None, None, 0.9])
    study.tell(0, state=TrialState.FAIL)
    study.tell(1, state=TrialState.PRUNED)
    assert SuccessiveHalving([10], 0.5).falls_behind(_standings(study, 2), 10) is False


@given(
    st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=7),
    st.sampled_from([1 / 3, 0.5, 0.8]),
    st.data(),
)
def test_the_verdict_does_not_depend_on_which_trial_is_faster(
    losses: list[tuple[int, int, int]], keep: float, choices: st.DataObject
) -> None:
    """Trials that advance in any order are pruned at the same rungs as one after the other."""
    rungs = [10, 20, 40]
    halving = SuccessiveHalving(rungs, keep)

    def pruned_at(in_turn: bool) -> dict[int, int | None]:
        study = _study([None] * len(losses))
        trials = [continued(study, storage_id(frozen)) for frozen in study.trials]
        at, ended = dict.fromkeys(range(len(losses)), 0), {}
        while at:
            number = min(at) if in_turn else choices.draw(st.sampled_from(sorted(at)))
            rung = rungs[at[number]]
            if rung not in study.trials[number].intermediate_values:
                trials[number].report(losses[number][at[number]], rung)
            behind = halving.falls_behind(_standings(study, number), rung)
            if behind is None:
                continue
            at[number] += 1
            if behind or at[number] == len(rungs):
                ended[number] = rung if behind else None
                study.tell(number, 0 if not behind else None, TrialState.PRUNED if behind else None)
                del at[number]
        return ended

    assert pruned_at(in_turn=False) == pruned_at(in_turn=True)
