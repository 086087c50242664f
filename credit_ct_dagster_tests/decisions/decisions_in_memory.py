"""Decisions that are recorded in memory, as `Deciding` records them in the stores."""

from datetime import UTC, datetime
from typing import Any

from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster_tests.modeling.watching.shadowed import identity

NOW = datetime(2025, 3, 10, 1, tzinfo=UTC)
"""10:00 in Seoul."""


class DecisionsInMemory(Deciding):
    """Records decisions, and knows the champion; nothing else works."""

    def __init__(self) -> None:
        self._records: list[DecisionRecord] = []
        self.to_show = []

    def champion(self) -> ModelIdentity | None:
        """According to the newest decision."""
        version = self._records[-1].champion if self._records else None
        known = {each.model.registered_version: each.model for each in self._records}
        return known.get(version or "")

    def record(
        self,
        model: ModelIdentity,
        decision: Decision,
        *,
        by: str = GATE,
        reason: str | None = None,
        dagster_run_id: str | None = None,
    ) -> DecisionRecord:
        """As in the stores, at `NOW`."""
        last = self._records[-1] if self._records else None
        champion = last.champion if last else None
        version = model.registered_version
        replaced = decision.promoted and champion != version
        made = DecisionRecord(
            version=decision.ground.record_version,
            number=len(self._records) + 1,
            time=NOW,
            by=by,
            reason=reason,
            dagster_run_id=dagster_run_id,
            model=model,
            before=self.champion(),
            decision=decision,
            champion=version if decision.promoted else champion,
            previous=champion if replaced else (last.previous if last else None),
        )
        self._records.append(made)
        return made

    def add(
        self,
        base_dt: str,
        ground: Ground,
        promoted: bool = False,
        by: str = GATE,
        sentence: str = "",
        **decision: Any,
    ) -> DecisionRecord:
        """Decide on the model of a base date, whose version is its day.

        Args:
            base_dt: The base date.
            ground: Why.
            promoted: Whether it becomes the champion.
            by: Who decides.
            sentence: For a person. [default: the ground]
            decision: Other fields of the decision.
        """
        made = Decision(
            promoted=promoted, ground=ground, sentence=sentence or f"{ground}.", **decision
        )
        return self.record(model_of(base_dt), made, by=by, reason=None if by == GATE else "because")


def model_of(base_dt: str, run: str = "") -> ModelIdentity:
    """The model of a base date, whose version is its day."""
    return identity(base_dt, run, version=base_dt[-2:])
