"""How long base dates are retained, in every store.

Of the feature store, that is the scores of customers only: merging deletes old training rows. A
base date is deleted or retained as a whole, except for its holdout. It is retained while its model
serves, served before, is a challenger in the shadow, or carries any alias in MLflow, and while one
of its runs has not ended. Its holdout is retained for as long as models are judged on it.
"""

from collections.abc import Container, Iterator

import dagster as dg

from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.operations.needed_holdouts import NeededHoldouts
from credit_ct_dagster.operations.prunable_stores import HOLDOUTS, PrunableStore, prunable_stores
from credit_ct_dagster.operations.prune_plan import Amount, Outcome, Plan
from credit_ct_dagster.partitions import Calendar, exists, last_expired
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.removal import RemovableRuns
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.history import RunHistory


class Retention:
    """One rule for scores, artifacts, packages, MLflow, studies and Dagster's history."""

    def __init__(
        self,
        promotions: Promotions,
        studies: StudyStorage,
        feature_store: FeatureStore,
        calendar: Calendar,
        instance: dg.DagsterInstance,
        shadow: ShadowRules | None = None,
    ) -> None:
        """Read nothing of a base date yet.

        Args:
            promotions: The decisions.
            studies: The searches.
            feature_store: The scores.
            calendar: Days are counted from its newest base date.
            instance: Dagster's history.
            shadow: Who is in the shadow. [default: as if RUN_CONFIG said nothing of it]
        """
        self._promotions = promotions
        self._shadow = shadow or ShadowRules()
        self._calendar = calendar
        self._history = RunHistory(instance, promotions.tracking.model_name)
        runs = RemovableRuns(promotions.tracking)
        self.deletes_mlflow_runs_permanently = runs.deletes_permanently
        self._stores = prunable_stores(promotions, studies, feature_store, runs, self._history)
        self._holdouts = NeededHoldouts(promotions.artifacts, calendar.newest())

    def plan(self, keep_days: int) -> Plan:
        """List what is older than a number of days, counted from the newest base date.

        Raises:
            UnavailableError: A store does not answer.
        """
        limit = last_expired(self._calendar.newest(), keep_days)
        assert limit is not None
        held = {base_dt for store in self._stores for base_dt in store.base_dates()}
        old = sorted(base_dt for base_dt in held if exists(base_dt) and base_dt <= limit)
        reasons = self._reasons_to_retain()
        retained = {base_dt: reasons[base_dt] for base_dt in old if base_dt in reasons}
        leaving = [base_dt for base_dt in old if base_dt not in reasons]
        holdouts = self._holdouts_of(leaving, reasons, limit)
        expired = {base_dt: self._amounts(base_dt, base_dt in holdouts) for base_dt in leaving}
        # Of some, nothing but the holdout was left.
        to_delete = {day: found for day, found in expired.items() if found or day not in holdouts}
        return Plan(limit, to_delete, retained, holdouts)

    def remove(self, base_dt: str, last_expired: str | None = None) -> Outcome:
        """Delete a base date under the lock of decisions, so that its model cannot be promoted.

        Args:
            base_dt: The base date.
            last_expired: The newest base date that is old enough to be deleted. [default: this one]

        Returns:
            What became of it: it is not deleted if there is a reason to retain it by now.

        Raises:
            UnavailableError: A store does not answer. Started again, it deletes the rest.
        """
        with self._promotions.deciding(ends_requests=False):
            reasons = self._reasons_to_retain()
            if base_dt in reasons:
                return Outcome(base_dt, deleted=False)
            limit = last_expired or base_dt
            holdout = self._holdouts_of([base_dt], reasons, limit).get(base_dt)
            for store in self._stores_of(retains_holdout=holdout is not None):
                store.remove(base_dt)
        return Outcome(base_dt, deleted=True, holdout=holdout)

    def carry_out(self, plan: Plan) -> Iterator[Outcome]:
        """Delete what a plan lists; a base date that cannot be deleted holds up no other.

        Raises:
            UnavailableError: A store does not answer. Started again, it deletes the rest.
        """
        for base_dt in plan.expired:
            try:
                yield self.remove(base_dt, plan.last_expired)
            except UnavailableError:
                raise
            except CreditCtError as error:
                yield Outcome(base_dt, deleted=False, error=error)

    def broken_packages(self) -> list[str]:
        """Packages that are damaged: of which base date they are is unknown, so they remain."""
        return [str(error) for error in self._promotions.packages.broken()]

    def _reasons_to_retain(self) -> dict[str, str]:
        running = dict.fromkeys(self._history.unfinished(), "one of its runs has not ended")
        return running | self._promotions.needed_base_dates(self._calendar.newest(), self._shadow)

    def _holdouts_of(
        self, base_dates: list[str], in_use: Container[str], last_expired: str
    ) -> dict[str, str]:
        """Those that have a holdout which is needed, each with the reason."""
        [holdouts] = [store for store in self._stores if store.name == HOLDOUTS]
        having = [base_dt for base_dt in base_dates if holdouts.amount(base_dt).items]
        return self._holdouts.reasons(having, in_use, last_expired) if having else {}

    def _stores_of(self, *, retains_holdout: bool) -> list[PrunableStore]:
        return [each for each in self._stores if not (retains_holdout and each.name == HOLDOUTS)]

    def _amounts(self, base_dt: str, retains_holdout: bool) -> dict[str, Amount]:
        stores = self._stores_of(retains_holdout=retains_holdout)
        amounts = {store.name: store.amount(base_dt) for store in stores}
        return {name: amount for name, amount in amounts.items() if amount.items}
