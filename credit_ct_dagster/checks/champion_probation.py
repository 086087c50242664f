"""Whether the champion is worse than the model whose place it took."""

import dagster as dg

from credit_ct_dagster.assets.champion_probation import champion_probation
from credit_ct_dagster.checks.results import (
    NOT_COMPARED,
    base_date_of,
    needs_base_date,
    result,
)
from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.probation import ProbationPolicy, ProbationRecord
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.runs.failures import failing_clearly


@dg.asset_check(
    asset=champion_probation,
    description="The champion is not worse, beyond doubt, than the model whose place it took: both"
    " answered the same customers, whose labels have come since. The interval holds for the"
    " evaluations of all days together, and several in a row have to agree. Only the newest"
    " prediction day can fail. A failure only warns: what follows is for `probation` to say.",
)
@needs_base_date
def champion_passes_probation(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read what was evaluated."""
    with failing_clearly(context):
        record = artifacts.open(MONITORING_FOLDER, base_date_of(context)).read(ProbationRecord)
    difference = record.comparison.difference if record.comparison else None
    # With this policy it is a person who decides; a rollback by the run itself is worth a notice.
    was_decided = record.decision is not None and record.policy == ProbationPolicy.alert
    return result(
        context,
        passed=not (record.is_worse and record.may_decide) or was_decided,
        observed=round(difference.value, 4) if difference else NOT_COMPARED,
        limit=0.0,
        sentence=record.sentence,
        severity=dg.AssetCheckSeverity.WARN,
        labelled=record.comparison.rows if record.comparison else 0,
        in_a_row=record.in_a_row,
    )
