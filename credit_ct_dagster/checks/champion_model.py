"""What should hold of a base date beside the champion's training data."""

import dagster as dg

from credit_ct_dagster.assets.champion_model import DRIFT_FILE, champion_model
from credit_ct_dagster.checks.results import base_date_of, result
from credit_ct_dagster.io_managers.artifacts import MODEL_FOLDER, ArtifactsIOManager
from credit_ct_dagster.modeling.drift import MUCH, SOME, Verdict


@dg.asset_check(
    asset=champion_model,
    description="No feature, and no share of predicted classes, has moved far away from the rows"
    f" that the champion was trained on: PSI below {SOME} (drift) and {MUCH} (much drift).",
)
def drift_is_small(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read what was measured when the decision was taken; only warns."""
    drift = artifacts.open(MODEL_FOLDER, base_date_of(context))[DRIFT_FILE]
    moved = [each for each in drift if each["verdict"] != Verdict.stable]
    highest = max((each["psi"] for each in drift), default=0.0)
    if not drift:
        sentence = "there was no champion to compare with."
    elif moved:
        named = ", ".join(f"{each['column']} (PSI {each['psi']:.3f})" for each in moved)
        sentence = f"moved away from the champion's training rows: {named}."
    else:
        sentence = f"the highest PSI of {len(drift)} columns is {highest:.3f}."
    return result(
        context,
        passed=not moved,
        observed=highest,
        limit=SOME,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )
