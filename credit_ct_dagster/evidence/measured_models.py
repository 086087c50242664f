"""What is measured of a packaged model, for its card."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.assessment import AssessmentReport, ReasonStability
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.metadata.tables import interval, rounded, shown_table, table_of

# What scores and judges is imported where it is used: it takes seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.resources.bentoml_store import PackagedModel

logger = logging.getLogger(__name__)


def report_of(
    package: "PackagedModel",
    record: DecisionRecord,
    raw: "Mapping[str, pd.DataFrame]",
    promotions: Promotions,
    artifacts: ArtifactsIOManager,
    utility: Utility,
) -> AssessmentReport:
    """Measure a packaged model on rows that it has not learned from.

    Args:
        package: The model.
        record: The decision on it.
        raw: The raw rows of its base date, per split: `val` and `holdout`.
        promotions: Has the champion before.
        artifacts: Have the holdouts of other base dates.
        utility: What the bank declares, which the gate judges by.

    Raises:
        UnusableRowsError: The model was calibrated on all customers of the holdout.
    """
    from credit_ct_dagster.modeling.judging.assessment import assess
    from credit_ct_dagster.modeling.judging.fairness import fairness_of
    from credit_ct_dagster.modeling.judging.monotonicity import monotonicity_of
    from credit_ct_dagster.modeling.rows.splitting import pooled_holdout

    base_dt, scorer, holdout = record.model.base_dt, package.scorer, raw["holdout"]
    holdouts = {base_dt: holdout} | _other_holdouts(record, artifacts)
    seen_share = package.record.seen_share
    pooled = pooled_holdout(list(holdouts.values()), [seen_share])
    # A calibration on a base date with larger splits may have seen customers of this holdout.
    unseen = pooled_holdout([holdout], [seen_share])
    if unseen.empty:
        raise UnusableRowsError(
            f"The model of base date {base_dt} has seen all customers of its holdout since it was"
            f" calibrated on base date {package.record.calibrated_on}. Materialize bentoml_model"
            " with a calibrate_on whose splits have the same shares, champion_model and model_card."
        )
    stability, not_compared = reasons_compared(package, record, unseen, promotions)
    return AssessmentReport(
        val=assess(scorer, raw["val"], utility),
        holdout=assess(scorer, unseen, utility),
        monotonicity=monotonicity_of(scorer, unseen),
        reasons=stability,
        reasons_not_compared=not_compared,
        fairness=fairness_of(
            pooled, scorer.score_rows(pooled).classes, package.data.protected, list(holdouts)
        ),
    )


def _other_holdouts(
    record: DecisionRecord, artifacts: ArtifactsIOManager
) -> "dict[str, pd.DataFrame]":
    """Those that the decision pooled with the holdout of the base date, and that still exist."""
    found = {}
    for base_dt in record.decision.holdouts:
        if base_dt == record.model.base_dt:
            continue
        try:
            found[base_dt] = raw_rows(artifacts, base_dt, "holdout")
        except UnavailableError:
            raise
        except CreditCtError as error:  # rows of an old base date may have been pruned since
            logger.warning(str(error), extra={"code": error.code})
    return found


def reasons_compared(
    package: "PackagedModel",
    record: DecisionRecord,
    holdout: "pd.DataFrame",
    promotions: Promotions,
) -> tuple[ReasonStability | None, str | None]:
    """What the reasons have in common with those of the champion before; or why it is unknown.

    It only informs: a package that no longer exists is not compared.
    """
    from credit_ct_dagster.modeling.judging.stability import reason_stability
    from credit_ct_dagster.modeling.rows.splitting import pooled_holdout

    before = record.before
    if before is None or before.registered_version == record.model.registered_version:
        return None, None
    try:
        loaded = promotions.load(promotions.newest_package(before))
    except UnavailableError:
        raise
    except CreditCtError as error:
        return None, error.sentence
    champion = loaded.scorer
    if not (package.scorer.explains and champion.explains):
        return None, "an earlier release packaged one of the two models, which gives no reasons."
    rows = pooled_holdout([holdout], [package.record.seen_share, loaded.record.seen_share])
    if rows.empty:
        return None, "the champion before had seen all customers of this holdout."
    return reason_stability(package.scorer, champion, before.base_dt, rows), None


def figures_of(report: AssessmentReport) -> dict[str, Any]:
    """What the materialization says in figures."""
    holdout, fairness = report.holdout, report.fairness
    metrics = {
        **holdout.metrics,
        "calibration error if perfect": holdout.perfect_ece,
        "reasons shared with champion": report.reasons and report.reasons.shared,
    }
    found: dict[str, Any] = {
        "holdout": table_of(
            [
                {
                    "metric": name,
                    "value": rounded(each.value),
                    "interval": interval(each),
                }
                for name, each in metrics.items()
                if each
            ]
        ),
        # Numbers by themselves are plotted over the base dates in the UI.
        "holdout_log_loss_calibrated": rounded(holdout.calibrated.log_loss),
        "holdout_calibration_error": rounded(holdout.calibrated.ece),
    }
    if fairness:
        found["groups_with_adverse_impact"] = len(fairness.adverse)
    better = sorted(report.monotonicity, key=lambda each: -each.better)
    return found | shown_table(
        "rows_that_get_better_as_risk_rises",
        [{"feature": e.feature, "share": rounded(e.better), "rows": e.rows} for e in better],
        files.ASSESSMENT_FILE,
    )
