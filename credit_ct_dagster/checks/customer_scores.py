"""What must hold of the scores of a base date."""

import dagster as dg

from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.checks.results import (
    NOT_COMPARED,
    base_date_of,
    needs_base_date,
    result,
)
from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.drift import SIGNIFICANCE, SOME
from credit_ct_dagster.contracts.files import SCORES_FOLDER
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers, RowsToScore
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.rounding import told_apart
from credit_ct_dagster.runs.failures import failing_clearly


@dg.asset_check(
    asset=customer_scores,
    description="Every customer of the base date has a score in credit_customer_scores, by the"
    " champion that scored them all, or is in quarantine.",
)
@needs_base_date
def customers_are_scored(
    context: dg.AssetCheckExecutionContext,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    feature_store: FeatureStore,
) -> dg.AssetCheckResult:
    """Count the feature rows and the scores once more, in the database."""
    base_dt = base_date_of(context)
    with failing_clearly(context):
        summary = artifacts.open(SCORES_FOLDER, base_dt).read(CustomerScoresSummary)
        database = feature_store.database
        rows = RowsToScore(database, base_dt, Customers(summary.customers)).count()
        counts = CustomerScores(database, artifacts.model_name).counts(base_dt)
    scored, refused = counts.get(summary.model.bentoml_tag, 0), summary.quarantine.rows
    others = sum(counts.values()) - scored
    sentence = (
        f"{rows:,} feature rows; {scored:,} have a score by {summary.model.bentoml_tag},"
        f" {refused:,} are in quarantine, {others:,} scores are by another model."
    )
    passed = scored + refused == rows and not others
    if not passed:
        sentence += (
            " Rows were loaded or deleted while customers were scored, or since: materialize"
            " customer_scores for this base date again."
        )
    return result(
        context,
        passed=passed,
        observed=scored + refused,
        limit=rows,
        sentence=sentence,
        scores_by_other_models=others,
    )


@dg.asset_check(
    asset=customer_scores,
    description="The shares of the scored classes are those that the champion predicts for its"
    f" training rows. From a PSI of {SOME} on it is drift, unless a chi-square test says that it"
    " may be chance. A failure only warns.",
)
@needs_base_date
def class_shares_are_stable(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read the drift that was measured when the customers were scored."""
    with failing_clearly(context):
        folder = artifacts.open(SCORES_FOLDER, base_date_of(context))
        summary = folder.read(CustomerScoresSummary)
    drift = summary.training.drift if summary.training else None
    shares = ", ".join(
        f"{name} {count / max(1, summary.rows):.1%}" for name, count in summary.classes.items()
    )
    if summary.training_unknown:
        sentence = summary.training_unknown
    elif drift is None:
        sentence = "Not compared: no customer was scored."
    else:
        psi, chance = told_apart(".3f", drift.psi, SOME), ""
        if drift.p_value is not None:
            chance = f" (p = {told_apart('.3g', drift.p_value, SIGNIFICANCE)})"
        sentence = (
            f"{shares}: a PSI of {psi}{chance} from the classes that the champion of base"
            f" date {summary.model.base_dt} predicts for its training rows: {drift.verdict.value}."
            f" From {SOME:.2f} on it is drift, if p is below {SIGNIFICANCE}."
        )
    return result(
        context,
        passed=not summary.training_unknown and not (drift and drift.verdict.is_drift),
        observed=drift.psi if drift else NOT_COMPARED,
        limit=SOME,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )
