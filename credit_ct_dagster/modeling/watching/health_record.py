"""The health record of a prediction day."""

from datetime import datetime

from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.modeling.watching.health import (
    HealthRules,
    Measured,
    open_decisions_of,
    sentences_of,
)
from credit_ct_dagster.modeling.watching.health_changes import changes_of


def health_record(
    measured: Measured,
    rules: HealthRules,
    before: HealthRecord | None,
    *,
    model_name: str,
    made_at: datetime,
    dagster_run_id: str,
) -> HealthRecord:
    """What a person needs to know of a prediction day.

    Args:
        measured: The day.
        rules: What it is judged by.
        before: The record of the day before; None if there is none.
        model_name: The model.
        made_at: Now, with a time zone.
        dagster_run_id: The run that asks.
    """
    sentences = sentences_of(measured, rules)
    return HealthRecord(
        base_dt=measured.day,
        made_at=made_at,
        dagster_run_id=dagster_run_id,
        model_name=model_name,
        champion=measured.champion,
        service=measured.service,
        sentences=sentences,
        open_decisions=open_decisions_of(measured),
        changes=changes_of(measured, sentences, before),
        days=tuple(measured.days),
        watch=measured.watch,
    )
