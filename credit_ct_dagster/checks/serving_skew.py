"""Whether features were served as the feature store has them."""

import dagster as dg

from credit_ct_dagster.assets.serving_skew import serving_skew
from credit_ct_dagster.checks.results import (
    NOT_COMPARED,
    base_date_of,
    needs_base_date,
    result,
)
from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.runs.failures import failing_clearly

_REMEDY = (
    "Find out what the callers send, and correct it there: customers get answers that are computed"
    " from these values."
)


@dg.asset_check(
    asset=serving_skew,
    description="No feature of the day's requests disagrees with the feature store in a larger"
    " share of the values than the limit, by more than chance explains. Single precision and"
    " rounding to a fine digit are no disagreement. A failure only warns.",
)
@needs_base_date
def served_features_agree_with_the_store(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read what was found when the day's requests were compared."""
    with failing_clearly(context):
        record = artifacts.open(MONITORING_FOLDER, base_date_of(context)).read(ServingSkew)
    sentence = record.sentence if record.compared else f"Not compared: {record.sentence}"
    if record.skewed:
        sentence += f" {_REMEDY}"
    return result(
        context,
        passed=not record.skewed,
        observed=max((each.share.value for each in record.features), default=NOT_COMPARED),
        limit=record.limit,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
        compared=record.compared,
    )
