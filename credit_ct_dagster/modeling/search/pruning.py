"""The rule by which candidates that fall behind are stopped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState


@dataclass(frozen=True)
class SuccessiveHalving:
    """Successive halving on the validation loss, in the order in which trials were started.

    After each rung's number of trees a trial is compared with the trials that were started before
    it and reached the rung; it continues when it is among the best `ceil(keep · n)` of the n,
    itself included. As in asynchronous successive halving (Li et al. 2020, "A System for Massively
    Parallel Hyperparameter Tuning", section 3) no round has to fill up first.

    Unlike there, and unlike Optuna's `SuccessiveHalvingPruner`, only earlier trials count, not
    those that happen to be faster: the verdict is the same whatever the number of threads, machines
    and interruptions. `docs/performance.md` has the evidence for the rungs and the share.

    Attributes:
        rungs: Numbers of trees, ascending.
        keep: Share of those compared at a rung that continues.
    """

    rungs: Sequence[int]
    keep: float

    def falls_behind(self, study: optuna.Study, number: int, rung: int) -> bool | None:
        """Whether to stop a trial that has reported its loss at a rung.

        Returns:
            None while a trial that was started earlier has not reached the rung yet.
        """
        trials = study.get_trials(deepcopy=False)
        loss = trials[number].intermediate_values[rung]
        ahead, compared = 0, 1
        for earlier in trials[:number]:
            if rung in earlier.intermediate_values:
                compared += 1
                ahead += math.isnan(loss) or earlier.intermediate_values[rung] <= loss
            elif earlier.state in {TrialState.RUNNING, TrialState.WAITING}:
                return None
        return ahead >= math.ceil(self.keep * compared)
