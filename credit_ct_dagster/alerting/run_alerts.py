"""The alert about a run that ended: what it did or why it failed."""

import dagster as dg

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.alerting.run_events import RunEvents
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.redaction import redacted
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.purposes import (
    AWAITING_APPROVAL,
    CUSTOMER_SCORES,
    MATURING_LABELS,
    MONITORING,
    PROMOTED_FROM_SHADOW,
    ROLLED_BACK,
    TRIGGER_TAG,
    monitors,
    only_checks,
)
from credit_ct_dagster.runs.reasons import code_of_check, sentence_of_check

_WILL_RETRY_TAG = "dagster/will_retry"
_RESULTS = {
    CUSTOMER_SCORES: "customer_scores",
    MONITORING: "champion_health",
    MATURING_LABELS: "served_performance",
}
"""Per job, the asset to look at; that of a training is the model card."""


def on_failure(ui: DagsterUI, run: dg.DagsterRun, events: RunEvents) -> Alert:
    """Why a run failed, which of its checks warned, and what it changed nevertheless."""
    reason = events.reason
    retried = run.tags.get(_WILL_RETRY_TAG, "").lower() == "true"
    sentences = [
        reason.sentence,
        *map(sentence_of_check, events.warnings),
        *events.reported(ROLLED_BACK),
        *events.reported(AWAITING_APPROVAL),
        *events.reported(PROMOTED_FROM_SHADOW),
        *(["Dagster will retry the run."] if retried else []),
    ]
    return alert_on_run(
        Kind.run_failed,
        ui,
        run,
        subject=f"{_name(run)} failed",
        sentences=sentences,
        asset=events.failed_asset,
        code=reason.code,
    )


def on_success(ui: DagsterUI, run: dg.DagsterRun, events: RunEvents) -> Alert | None:
    """That a run succeeded, or which of its checks did not pass, or what it asks.

    None about checks that a person executed, and that passed.
    """
    failed, asked = events.failed_checks, events.reported(AWAITING_APPROVAL)
    if asked:
        sentences = [*asked, *map(sentence_of_check, failed)]
        subject = "A model awaits approval"
        code = code_of_check(failed[0]) if failed else None
        return alert_on_run(
            Kind.approval_requested, ui, run, subject, sentences, model_card.key, code=code
        )
    if not failed:
        if only_checks(run):
            return None
        trigger = run.tags.get(TRIGGER_TAG)
        sentences = [f"retraining_sensor started it: {trigger}"] if trigger else []
        subject = f"{_name(run)} succeeded"
        asset = dg.AssetKey(_RESULTS.get(run.job_name, "model_card"))
        return alert_on_run(Kind.run_succeeded, ui, run, subject, sentences, asset)
    names = ", ".join(each.check_name for each in failed)
    count = "a failed check" if len(failed) == 1 else f"{len(failed)} failed checks"
    return alert_on_run(
        Kind.check_failed,
        ui,
        run,
        subject=f"{_name(run)} succeeded with {count} ({names})",
        sentences=[sentence_of_check(each) for each in failed],
        check=failed[0],
    )


def alert_on_run(
    kind: Kind,
    ui: DagsterUI,
    run: dg.DagsterRun,
    subject: str,
    sentences: list[str],
    asset: dg.AssetKey | None = None,
    check: dg.AssetCheckEvaluation | None = None,
    code: str | None = None,
) -> Alert:
    """An alert with the links of a run.

    Args:
        kind: What happened.
        ui: Where the links lead.
        run: The run.
        subject: What happened, without the base date.
        sentences: A line of the text each.
        asset: The asset to look at, if not that of `check`.
        check: The check to look at; None if none failed.
        code: Of the error, if not that of `check`.
    """
    base_dt = run.tags.get(PARTITION_TAG)
    links = {"run": ui.run_url(run.run_id)}
    if check:
        shown = {"view": "checks", "checkDetail": check.check_name}
        links["asset"] = ui.asset_url(check.asset_key, shown)
    elif asset:
        links["asset"] = ui.partition_url(asset, base_dt)
    if base_dt and monitors(run):
        links["health"] = ui.health_url(base_dt)
    return Alert(
        kind,
        base_dt,
        f"{subject}: {base_dt or 'no base date'}",
        redacted("\n".join(sentences)),
        links,
        run.run_id,
        code_of_check(check) if check else code,
    )


def _name(run: dg.DagsterRun) -> str:
    """The job, or the UI's word for assets that a person selected."""
    return "Materialization" if run.job_name.startswith("__") else run.job_name
