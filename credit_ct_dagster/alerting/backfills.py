"""Backfills that failed: those that have started no run are in no other alert."""

import re
from dataclasses import dataclass
from typing import Any

import dagster as dg

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.errors.base import code_in, with_reference
from credit_ct_dagster.errors.operation import BackfillFailedError
from credit_ct_dagster.redaction import redacted
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.config_errors import shortly_of_text

_READ = 20
"""So many of the newest backfills are looked at: one that failed has been launched lately."""
_BACKFILL_TAG = "dagster/backfill"
_CLASS = re.compile(r"^[\w.]+: ")


@dataclass(frozen=True)
class BackfillFailed:
    """Dagster gave up a backfill, as when the run configuration is refused.

    Attributes:
        backfill_id: Which one.
        ended: When, in seconds since 1970.
        base_dts: Those that it was launched for, in order.
        message: What Dagster reported.
    """

    backfill_id: str
    ended: float
    base_dts: tuple[str, ...]
    message: str


def failed_backfills(instance: dg.DagsterInstance, after: float = 0.0) -> list[BackfillFailed]:
    """The newest backfills that failed by themselves, in the order in which they ended.

    One of which single runs failed is not among them: each of these runs is alerted.

    Args:
        instance: Where they were launched.
        after: Only those that ended later, in seconds since 1970.
    """
    found = [
        BackfillFailed(
            each.backfill_id,
            each.backfill_end_timestamp,
            _base_dts(each),
            _CLASS.sub("", each.error.message.strip()) if each.error else "for an unknown reason",
        )
        for each in instance.get_backfills(limit=_READ)
        if each.status.value == "FAILED" and each.backfill_end_timestamp
    ]
    return sorted((each for each in found if each.ended > after), key=lambda each: each.ended)


def _base_dts(backfill: Any) -> tuple[str, ...]:  # Dagster does not publish the type
    """Of the job, or of assets that a person selected."""
    found = set(backfill.partition_names or ())
    if backfill.asset_backfill_data:
        subsets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
        found.update(*(each.get_partition_keys() for each in subsets.values()))
    return tuple(sorted(found))


def on_failed_backfill(instance: dg.DagsterInstance, ui: DagsterUI, event: BackfillFailed) -> Alert:
    """What failed, whether it started runs, and what to do.

    Args:
        instance: Where it was launched.
        ui: Where the link of the alert leads.
        event: The backfill.
    """
    days = event.base_dts
    span = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "no base date"
    named = f"{len(days)} base dates ({span})" if len(days) > 1 else span
    wanted = dg.RunsFilter(tags={_BACKFILL_TAG: event.backfill_id})
    started = instance.get_runs_count(wanted)
    before = f"when it had started {started} of its runs" if started else "before it started a run"
    reported = shortly_of_text(event.message)
    text = f"Backfill {event.backfill_id} of {named} failed {before}: {reported}"
    code = code_in(text) or BackfillFailedError.code
    if code == BackfillFailedError.code:
        again = "Correct the cause, then launch a backfill of the base dates that are missing."
        text = with_reference(f"{text.rstrip('.')}. {again}", code)
    return Alert(
        Kind.backfill_failed,
        None,
        f"A backfill failed: {span}",
        redacted(text),
        {"backfill": ui.backfill_url(event.backfill_id)},
        code=code,
    )
