"""Which holdouts the gate and the model cards still need, of base dates that are old enough to go.

The rows of a holdout are evidence for longer than a base date is retained: a base date is judged on
its own holdout and on those of earlier label windows.
"""

from collections.abc import Container, Iterable, Sequence

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import DECISIONS_FOLDER
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.io_managers.raw_rows import earlier_holdouts, whole_holdout
from credit_ct_dagster.modeling.judging.gate_rules import GateRules


class NeededHoldouts:
    """The holdouts of the last label windows, and those that models in use were judged by."""

    def __init__(self, artifacts: ArtifactsIOManager, newest: str) -> None:
        """Read nothing yet.

        Args:
            artifacts: Where the splits and the decisions are.
            newest: The newest base date, by the calendar. It need not be trained yet.
        """
        self._artifacts = artifacts
        self._newest = newest
        self._whole: dict[str, bool] = {}
        self._firsts: dict[int, str] = {}
        self._files: list[str] | None = None
        self._read: list[DecisionRecord] = []

    def reasons(
        self, base_dates: Iterable[str], in_use: Container[str], last_expired: str
    ) -> dict[str, str]:
        """Those base dates whose holdout is needed, each with the reason.

        Args:
            base_dates: Base dates to be deleted.
            in_use: Base dates that are retained as a whole. A model card is made again from the
                holdouts by which its model was judged.
            last_expired: The newest base date that is old enough to be deleted.

        Raises:
            UnavailableError: The object store does not answer.
        """
        records = self._records()
        judged = _judged_by(records, in_use)
        first = self._first(_windows(records, last_expired))
        reasons = {}
        for base_dt in base_dates:
            if base_dt in judged:
                reasons[base_dt] = f"the model of base date {judged[base_dt]} was judged on it"
            elif base_dt >= first and self._is_whole(base_dt):
                reasons[base_dt] = f"base date {self._newest}, or a later one, is judged on it"
        return reasons

    def _first(self, windows: int) -> str:
        """The base date from which on every holdout is needed.

        It is the oldest one that is pooled with the newest base date's. A later base date pools
        that one or newer ones, since its label window begins later, and so on. As long as there
        are fewer windows than are wanted, none can be spared.
        """
        if windows not in self._firsts:
            pooled = earlier_holdouts(self._artifacts, self._newest, windows - 1)
            are_all = len(pooled) == windows - 1
            self._firsts[windows] = min([self._newest, *pooled]) if are_all else ""
        return self._firsts[windows]

    def _is_whole(self, base_dt: str) -> bool:
        """Whether the gate would pool it; what it passes over is not retained."""
        if base_dt not in self._whole:
            try:
                whole_holdout(self._artifacts, base_dt)
            except UnavailableError:
                raise
            except CreditCtError:
                self._whole[base_dt] = False
            else:
                self._whole[base_dt] = True
        return self._whole[base_dt]

    def _records(self) -> list[DecisionRecord]:
        """The decisions with evidence; what a person decided has none.

        They are many files, which nothing replaces: they are read again if there are others.
        """
        files = self._artifacts.open(DECISIONS_FOLDER, "").names()
        if files != self._files:
            records = DecisionRecords(self._artifacts).read().records
            self._read = [each for each in records if each.decision.holdouts]
            self._files = files
        return self._read


def _windows(records: Sequence[DecisionRecord], last_expired: str) -> int:
    """As many as the gate pools by default, or more if it pooled more within the retention.

    The last decision alone may be that of an old base date, before which there were fewer.
    """
    recent = [each for each in records if each.model.base_dt > last_expired]
    pooled = [len(each.decision.holdouts) for each in [*recent, *records[-1:]]]
    return max([GateRules().holdout_windows, *pooled])


def _judged_by(records: Iterable[DecisionRecord], in_use: Container[str]) -> dict[str, str]:
    """Per base date whose holdout judged a model in use, the base date of that model."""
    newest = {
        record.model.base_dt: record.decision.holdouts
        for record in records
        if record.model.base_dt in in_use
    }
    return {base_dt: judged for judged, pooled in newest.items() for base_dt in pooled}
