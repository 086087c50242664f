"""The only place that uses what Optuna does not publish.

A trial that a killed process left running has to be continued, and trials have to be handed to
other machines. Optuna identifies a trial by its id in the storage for both, but offers it nowhere.
"""

from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from credit_ct_dagster.errors.operation import LibraryChangedError


def storage_id(trial: optuna.Trial | FrozenTrial) -> int:
    """The id of a trial in its storage.

    Raises:
        LibraryChangedError: This version of Optuna has none.
    """
    try:
        return int(trial._trial_id)
    except AttributeError:
        raise LibraryChangedError(
            f"Optuna's {type(trial).__name__} has no `_trial_id` any more: see"
            " credit_ct_dagster/modeling/search/optuna_internals.py, and install the Optuna version"
            " that constraints.txt names until it is adapted."
        ) from None


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
