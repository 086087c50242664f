"""The only place that uses what Optuna does not publish.

A trial that a killed process left running has to be continued, and trials have to be handed to
other machines. Optuna identifies a trial by its id in the storage for both, but offers it nowhere.
And it queues the trials of known candidates one by one, then writes each of their parameters.
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from credit_ct_dagster.errors.operation import LibraryChangedError


def storage_id(trial: optuna.Trial | FrozenTrial) -> int:
    """The id of a trial in its storage.

    Raises:
        LibraryChangedError: This version of Optuna has none.
    """
    try:
        return int(trial._trial_id)
    except AttributeError:
        raise _changed(type(trial).__name__, "_trial_id") from None


def continued(
    study: optuna.Study, trial_id: int, distributions: Mapping[str, BaseDistribution] | None = None
) -> optuna.Trial:
    """A trial that was started before, by this process or another one, to go on with.

    Args:
        study: Its study.
        trial_id: Its id in the storage.
        distributions: Those of the parameters, which are stored one by one: what a trial lacks that
            was interrupted between two of them is drawn now, or taken from the queue.
    """
    trial = optuna.trial.Trial(study, trial_id)
    for name, distribution in (distributions or {}).items():
        trial._suggest(name, distribution)
    return trial


def begun(
    study: optuna.Study,
    params: Mapping[str, int | float],
    distributions: Mapping[str, BaseDistribution],
    user_attrs: Mapping[str, Any],
) -> optuna.Trial:
    """Start a trial of a known candidate, with one write to the storage.

    `Study.enqueue_trial` and `ask` need six, and every look at the study reads what is queued.

    Args:
        study: Its study.
        params: The candidate.
        distributions: Those of its parameters.
        user_attrs: What to store with the trial.

    Raises:
        LibraryChangedError: This version of Optuna offers no such way.
    """
    template = optuna.trial.create_trial(
        state=TrialState.RUNNING,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs=dict(user_attrs),
    )
    try:
        trial_id = study._storage.create_new_trial(study._study_id, template_trial=template)
    except (AttributeError, TypeError):
        raise _changed("Study", "_storage.create_new_trial(study_id, template_trial)") from None
    return optuna.trial.Trial(study, trial_id)


def _changed(kind: str, lacking: str) -> LibraryChangedError:
    return LibraryChangedError(
        f"Optuna's {kind} has no `{lacking}` any more: see"
        " credit_ct_dagster/modeling/search/optuna_internals.py, and install the Optuna version"
        " that constraints.txt names until it is adapted."
    )
