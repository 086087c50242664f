"""What the events of a run say of it, for an alert about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.operation import RunFailedError
from credit_ct_dagster.runs.reasons import Reason, reason_of

_READ = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}


@dataclass(frozen=True)
class RunEvents:
    """The events of a run that alerts are made from, oldest first."""

    events: Sequence[dg.DagsterEvent]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> Self:
        """Those that an instance has recorded of a run."""
        logged = instance.all_logs(run.run_id, of_type=_READ)
        return cls([entry.dagster_event for entry in logged if entry.dagster_event])

    @property
    def reason(self) -> Reason:
        """Why the run failed."""
        unknown = with_reference(
            "Dagster recorded no reason: see the log of the run.", RunFailedError.code
        )
        return reason_of(self.events) or Reason(unknown, RunFailedError.code)

    @property
    def failed_checks(self) -> list[dg.AssetCheckEvaluation]:
        """The checks that did not pass."""
        return [
            event.asset_check_evaluation_data
            for event in self.events
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
            and not event.asset_check_evaluation_data.passed
        ]

    @property
    def warnings(self) -> list[dg.AssetCheckEvaluation]:
        """The checks that did not pass, and are not themselves why the run failed."""
        return [each for each in self.failed_checks if not _blocks(each)]

    @property
    def failed_asset(self) -> dg.AssetKey | None:
        """The asset that the first failed step would have made, or whose check blocked it."""
        planned = {
            event.step_key: event.asset_key
            for event in self.events
            if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        }
        steps = [event.step_key for event in self.events if event.is_step_failure]
        blocked = (check.asset_key for check in self.failed_checks if _blocks(check))
        return next((planned[step] for step in steps if step in planned), next(blocked, None))

    def reported(self, name: str) -> list[str]:
        """What materializations report under a name of their metadata, if anything."""
        made = [
            event.step_materialization_data.materialization
            for event in self.events
            if event.is_step_materialization
        ]
        found = [each.metadata.get(name) for each in made]
        return [str(each.value) for each in found if each]


def _blocks(check: dg.AssetCheckEvaluation) -> bool:
    return bool(check.blocking) and check.severity == dg.AssetCheckSeverity.ERROR
