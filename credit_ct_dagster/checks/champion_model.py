"""How the rows of a base date compare with the champion's training rows."""

import dagster as dg

from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.checks.results import base_date_of, result
from credit_ct_dagster.contracts.drift import MUCH, SOME, DriftReport, Verdict
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager


@dg.asset_check(
    asset=champion_model,
    description="No feature and no share of predicted classes has drifted from the champion's"
    f" training rows. From a PSI of {SOME} on it is drift, from {MUCH} on much drift. A failure"
    " only warns.",
)
def drift_is_small(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read the drift that was measured when the decision was taken."""
    report = artifacts.open(MODEL_FOLDER, base_date_of(context)).read(DriftReport)
    drift = report.columns
    drifted = [each for each in drift if each.verdict != Verdict.stable]
    highest = max((each.psi for each in drift), default=0.0)
    if report.not_computed:
        sentence = report.not_computed
    elif not drift:
        sentence = "there was no champion to compare with."
    elif drifted:
        named = ", ".join(f"{each.column} (PSI {each.psi:.3f})" for each in drifted)
        sentence = f"drift from the champion's training rows: {named}."
    else:
        sentence = f"the highest PSI of {len(drift)} columns is {highest:.3f}."
    return result(
        context,
        passed=not drifted and not report.not_computed,
        observed=highest,
        limit=SOME,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )
