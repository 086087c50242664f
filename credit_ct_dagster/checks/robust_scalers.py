"""What must hold of the scalers of a base date."""

import dagster as dg

from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.contracts.files import SCALERS_FOLDER
from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema


@dg.asset_check(
    asset="robust_scalers",
    blocking=True,
    description="Every numeric feature has a scaler with a finite median and range.",
)
@needs_base_date
def scalers_are_finite(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Check what each scaler learned."""
    learned = artifacts.open(SCALERS_FOLDER, base_date_of(context)).read(ScalersRecord).columns
    unusable = [
        name
        for name in schema.NUMERIC
        if name not in learned or learned[name].center is None or not (learned[name].scale or 0) > 0
    ]
    sentence = f"{len(schema.NUMERIC)} scalers are finite."
    if unusable:
        sentence = (
            f"no usable scaler for {', '.join(unusable)}: correct these columns in the source"
            " tables, then run this base date again."
        )
    return result(context, passed=not unusable, observed=len(unusable), limit=0, sentence=sentence)
