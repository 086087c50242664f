"""How far the features that were served on a day are from the feature store, and from training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.assets.source_tables import credit_score_features
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.serving_skew import FeatureSkew, ServedDrift, ServingSkew
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.metadata.tables import interval, moved, rounded, shown_table
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import failing_clearly

if TYPE_CHECKING:  # half a second to import, which only the step needs
    import pandas as pd


class SkewConfig(SkewRules, dg.Config):
    """When served features disagree with the feature store, and when they have drifted."""


@refuses_bad_values(SkewConfig)
@dg.asset(
    deps=[credit_score_features, customer_scores],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"sql"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def serving_skew(
    context: dg.AssetExecutionContext,
    config: SkewConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
) -> dg.Output[dict[str, Any]]:
    """How a day's requests compare with the feature store, per feature and pattern.

    The features of each request that names a customer stand beside the newest row that the store
    had of this customer when it was answered. Another unit, letter case, order or type, values of
    an older row, and values that are missing on one side, are recognised as such. All rows that
    were served, requests and batch, are compared with the champion's training rows as well: whether
    they have drifted.
    """
    # Measured: pandas and SciPy take a second to import, which only this step needs.
    from credit_ct_dagster.modeling.watching.skew import feature_skew, with_later_rows

    base_dt = context.partition_key
    with failing_clearly(context):
        answers = ServedAnswers(feature_store.database, artifacts.model_name)
        models = _models(promotions)
        found = answers.beside_the_store(base_dt, most_rows=config.most_rows)
        taken = models.taken if models.features else ()
        stored = with_later_rows(found.served, found.stored, found.later, taken)
        skew = feature_skew(found.served, stored, found.customers, config, taken, found.older)
        record = ServingSkew(
            base_dt=base_dt,
            limit=config.max_disagreeing_share,
            confidence=config.confidence,
            requests=found.requests,
            without_customer=found.without_customer,
            not_in_store=found.without_row,
            not_known_then=found.not_known_then,
            compared=len(found.served),
            customers=found.customers.nunique(),
            features=skew,
            trained_on=models.champion.base_dt if models.champion else "",
        )
        record = _with_drift(record, answers, models, artifacts, config)
    if record.drift_not_computed:
        context.log.warning(
            f"Drift of the rows that were served on {base_dt} was not computed:"
            f" {record.drift_not_computed}"
        )
    return dg.Output({files.SERVING_SKEW_FILE: record}, metadata=_metadata(record))


@dataclass(frozen=True)
class _Models:
    """Which models served, as far as that is known.

    Attributes:
        champion: The one that serves; None before the first promotion.
        features: What the champion takes; empty if that is not known.
        taken: What all models take that may have answered: also the one before, which answered
            until the champion was promoted.
        unknown: Why it is not known what the champion takes.
    """

    champion: ModelIdentity | None
    features: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    unknown: str | None = None


def _models(promotions: Promotions) -> _Models:
    champion = promotions.champion()
    if champion is None:
        return _Models(None, unknown="no model was promoted yet.")
    try:
        features = tuple(promotions.load(champion).data.features)
    except UnavailableError:
        raise
    except CreditCtError as error:
        return _Models(champion, unknown=error.sentence)
    return _Models(champion, features, frozenset(features) & _of_previous(promotions))


def _of_previous(promotions: Promotions) -> frozenset[str]:
    """What the model takes that served before; all features if there is none to be asked."""
    previous = promotions.previous()
    if previous is not None:
        try:
            return frozenset(promotions.load(previous).data.features)
        except UnavailableError:
            raise
        except CreditCtError:
            pass  # its package was deleted: it answers no more
    return frozenset(schema.FEATURES)


def _with_drift(
    record: ServingSkew,
    answers: ServedAnswers,
    models: _Models,
    artifacts: ArtifactsIOManager,
    config: SkewConfig,
) -> ServingSkew:
    """The record with how far all served rows have moved away from training.

    That only informs: where files of the champion no longer exist, it is not computed.
    """
    from credit_ct_dagster.modeling.watching.skew import served_drift

    served = answers.features_of_day(record.base_dt, most_rows=config.most_rows)
    if served.empty:
        return record
    try:
        trained = _trained(models, artifacts)
    except UnavailableError:
        raise
    except CreditCtError as error:
        return record.model_copy(update={"drift_not_computed": error.sentence})
    if trained is None:
        return record.model_copy(update={"drift_not_computed": models.unknown})
    drift = served_drift(served, trained, config, models.features)
    return record.model_copy(update={"drift": drift})


def _trained(models: _Models, artifacts: ArtifactsIOManager) -> "pd.DataFrame | None":
    """The champion's raw training rows; None where it is not known what it takes."""
    if models.champion is None or not models.features:
        return None
    return raw_rows(artifacts, models.champion.base_dt, "train")


def _metadata(record: ServingSkew) -> dict[str, Any]:
    highest = max((each.share.value for each in record.features), default=0.0)
    shown: dict[str, Any] = {
        "sentence": record.sentence,
        "requests": record.requests,
        "compared": record.compared,
        "customers": record.customers,
        "without_customer": record.without_customer,
        "not_in_store": record.not_in_store,
        "not_known_then": record.not_known_then,
        # Numbers by themselves are plotted over the days in the UI.
        "disagreeing_features": len(record.skewed),
        "highest_disagreeing_share": round(highest, 4),
        "drifted_features": sum(map(len, record.drifted.values())),
    }
    features = sorted(record.features, key=lambda each: -each.share.value)
    shown |= shown_table("features", [*map(_row_of, features)], ServingSkew.FILE)
    drift = sorted(_rows_of(record.drift), key=lambda row: (not row["drifted"], -row["psi"]))
    shown |= shown_table("drift", drift, ServingSkew.FILE)
    if record.drift_not_computed:
        shown["drift_not_computed"] = record.drift_not_computed
    return shown


def _row_of(skew: FeatureSkew) -> dict[str, Any]:
    """A row of the table that people see."""
    return {
        "feature": skew.feature,
        "verdict": skew.verdict.value,
        "share": rounded(skew.share.value),
        "interval": interval(skew.share),
        "patterns": "; ".join(f"{each.words}, {each.share:.0%}" for each in skew.patterns),
    }


def _rows_of(drift: Mapping[str, ServedDrift]) -> Iterator[dict[str, Any]]:
    for source, each in drift.items():
        drifted = each.drifted
        for column in each.columns:
            yield {
                "source": source,
                "column": column.column,
                "psi": rounded(column.psi),
                "missing": moved(column.missing),
                "drifted": column in drifted,
            }
