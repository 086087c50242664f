"""The rule by which candidates that fall behind are stopped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from credit_ct_dagster.modeling.search.standings import Standing


@dataclass(frozen=True)
class SuccessiveHalving:
    """Successive halving on the minimised loss, in the order in which trials were started.

    The loss is that of validation rows. After each rung's number of trees a trial is compared with
    the trials that were started before it and reached the rung; it continues when it is among the
    best `ceil(keep · n)` of the n, itself included. As in asynchronous successive halving (Li et
    al. 2020, "A System for Massively Parallel Hyperparameter Tuning", section 3) no round has to
    fill up first.

    Unlike there, and unlike Optuna's `SuccessiveHalvingPruner`, only earlier trials count, not
    those that happen to be faster: the verdict is the same whatever the number of threads, machines
    and interruptions. `docs/performance.md` has the evidence for the rungs and the share.

    Attributes:
        rungs: Numbers of trees, ascending.
        keep: Share of those compared at a rung that continues.
    """

    rungs: Sequence[int]
    keep: float

    def falls_behind(self, standings: Sequence[Standing], rung: int) -> bool | None:
        """Whether to stop a trial that has reported its loss at a rung.

        Args:
            standings: Of the trials in their order, up to the one in question.
            rung: The rung.

        Returns:
            None while a trial that was started earlier has not reached the rung yet.
        """
        *earlier, own = standings
        loss = own.losses[rung]
        ahead, compared = 0, 1
        for other in earlier:
            if rung in other.losses:
                compared += 1
                ahead += math.isnan(loss) or other.losses[rung] <= loss
            elif other.running:
                return None
        return ahead >= math.ceil(self.keep * compared)
