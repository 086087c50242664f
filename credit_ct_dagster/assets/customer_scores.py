"""The scores of a base date's customers, by the champion."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.source_tables import credit_score_features
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.models import UnusablePackageError
from credit_ct_dagster.errors.serving import NoChampionError
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.metadata.tables import counts_table, table_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.dask_cluster import DaskCluster
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers
from credit_ct_dagster.resources.feature_store.scores import SCORES
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import failing_clearly

# What scores is imported where it is used: pandas and CatBoost take seconds, which whoever only
# loads the definitions does not need.
if TYPE_CHECKING:
    from credit_ct_dagster.scoring.scoring import PinnedModel, Scoring

CLASSES_TABLE = "classes"


class ScoringConfig(dg.Config):
    """Which customers are scored, and how."""

    customers: Customers = Field(
        default=Customers.of_base_date,
        description="of_base_date scores the feature rows dated on the base date; newest scores"
        " every customer's newest row up to the base date",
    )
    reasons: bool = Field(
        default=True,
        description=f"Gives reasons for {' and '.join(schema.CLASSES[:-1])}, which takes most of"
        " the time: without them, 1,000,000 rows take two minutes",
    )
    chunk_rows: int = Field(
        default=50_000,
        ge=1,
        description="About how many rows are scored at a time, 1 or more. 50,000 with reasons take"
        " half a gigabyte",
    )
    max_quarantined_share: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Fails, and leaves the earlier scores, when a larger share of the rows breaks a"
        " rule, 0 to 1. Single bad rows are normal; more than 2 % point to a fault in the source",
    )


@refuses_bad_values(ScoringConfig)
@dg.asset(
    deps=[credit_score_features, champion_model],
    group_name="serving",
    owners=["team:ml-platform"],
    kinds={"catboost", "sql", "table"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.SCORES_FOLDER},
)
def customer_scores(
    context: dg.AssetExecutionContext,
    config: ScoringConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
    dask: DaskCluster,
    base_date_lock: BaseDateLock,
) -> dg.Output[dict[str, Any]]:
    """Rows of `credit_customer_scores` for one base date: class, probabilities, reasons.

    All rows are scored by the model that was the champion when the run began. The base date's
    earlier scores are replaced in one transaction. Rows that break a rule of the model's training
    rows are in quarantine instead.
    """
    # Measured: what scores takes 2 s to import, which only this step needs.
    from credit_ct_dagster.scoring.scoring import ScoringRequest, score_customers

    base_dt = context.partition_key
    with failing_clearly(context):
        base_date_lock.ensure_held()
        model = _pinned(promotions)
        request = ScoringRequest(
            model_name=promotions.tracking.model_name,
            base_dt=base_dt,
            customers=config.customers,
            reasons=config.reasons,
            chunk_rows=config.chunk_rows,
            max_quarantined_share=config.max_quarantined_share,
            dagster_run_id=context.run.run_id,
            scheduler=dask.scheduler,
        )
        scoring = score_customers(request, model, feature_store.database, context.log)
        summary = _compared(scoring, model, artifacts)
        written = {
            files.QUARANTINE_FILE: scoring.quarantined,
            files.SCORES_SUMMARY_FILE: summary,
        }
        if scoring.too_many:
            # What is wrong with the rows can be looked up although the step fails.
            artifacts.write(files.SCORES_FOLDER, base_dt, written)
            raise scoring.too_many
    warning = _without_rows(summary)
    if warning:
        context.log.warning(warning)
    return dg.Output(written, metadata=_metadata(summary, warning, feature_store.location))


def _pinned(promotions: Promotions) -> "PinnedModel":
    """The champion of now.

    Raises:
        NoChampionError: There is none.
        UnusablePackageError: It takes a column that the feature table does not have.
        CreditCtError: Its package is missing, was changed or cannot be loaded.
    """
    from credit_ct_dagster.scoring.scoring import PinnedModel

    champion = promotions.champion()
    if champion is None:
        raise NoChampionError(
            "No customer was scored, because no model was promoted yet. Train a base date whose"
            " model passes the gate (credit-ct run), or promote one (credit-ct promote), then"
            " materialize customer_scores for this base date again."
        )
    package = promotions.load(champion)
    unknown = [name for name in package.scorer.columns if name not in schema.FEATURES]
    if unknown:
        raise UnusablePackageError(
            f"No customer was scored: package {champion.bentoml_tag} of base date"
            f" {champion.base_dt} takes {', '.join(unknown)}, which is no feature any more. Train a"
            " base date, or promote a model that does without (credit-ct promote)."
        )
    return PinnedModel(champion, package.scorer, package.data.limits)


def _compared(
    scoring: "Scoring", model: "PinnedModel", artifacts: ArtifactsIOManager
) -> CustomerScoresSummary:
    """The summary, with how the classes compare with those of the training rows.

    That only informs: where files of the champion no longer exist, it is not computed.
    """
    from credit_ct_dagster.scoring.scoring import training_shares

    summary, trained = scoring.summary, model.identity.base_dt
    try:
        splits = artifacts.open(files.PREPROCESSING_FOLDER, trained).read(SplitsSummary)
        train = raw_rows(artifacts, trained, "train")
        shares = training_shares(splits.labels["train"], train, model, summary.classes)
    except UnavailableError:
        raise
    except CreditCtError as error:
        unknown = (
            f"The scores were not compared with the training rows of base date {trained}:"
            f" {error.sentence}"
        )
        return summary.model_copy(update={"training_unknown": unknown})
    return summary.model_copy(update={"training": shares})


def _without_rows(summary: CustomerScoresSummary) -> str | None:
    if summary.rows or summary.quarantine.rows:
        return None
    which = "is dated on" if summary.customers == Customers.of_base_date else "is dated up to"
    return (
        f"No feature row {which} base date {summary.base_dt}: no customer was scored. Load the"
        " features that are missing, then materialize customer_scores for this base date again."
    )


def _metadata(summary: CustomerScoresSummary, warning: str | None, location: str) -> dict[str, Any]:
    model, quarantine = summary.model, summary.quarantine
    shown: dict[str, Any] = {
        "dagster/partition_row_count": summary.rows,
        CLASSES_TABLE: table_of(_shares(summary)),
        "customers": summary.customers,
        "not_most_probable": summary.not_most_probable,
        "refused_rows": quarantine.rows,
        **counts_table(
            "refused_rows_per_rule", "rule", quarantine.per_rule, files.SCORES_SUMMARY_FILE
        ),
        "bentoml_tag": model.bentoml_tag,
        "registered_version": model.registered_version,
        "model_base_dt": model.base_dt,
        "table": f"{location} {SCORES}",
        "seconds": round(summary.seconds, 1),
        "rows_per_second": round((summary.rows + quarantine.rows) / max(summary.seconds, 1e-3)),
    }
    if summary.flagged is not None:
        shown["rows_with_compliance_flags"] = summary.flagged
    if summary.training and summary.training.drift:
        drift = summary.training.drift
        shown["prediction_psi"] = round(drift.psi, 4)
        shown["prediction_drift"] = str(drift.verdict)
    for name, sentence in (("warning", warning), ("not_compared", summary.training_unknown)):
        if sentence:
            shown[name] = sentence
    return shown


def _shares(summary: CustomerScoresSummary) -> list[Mapping[str, Any]]:
    """Rows of the table that people see: shares beside those of the training labels."""
    labels = summary.training.labels if summary.training else {}
    return [
        {
            "class": name,
            "rows": rows,
            "share": round(rows / max(1, summary.rows), 4),
            "share_of_training_labels": round(labels.get(name, 0) / sum(labels.values()), 4)
            if sum(labels.values())
            else None,
        }
        for name, rows in summary.classes.items()
    ]
