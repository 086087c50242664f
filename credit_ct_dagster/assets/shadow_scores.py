"""What models in the shadow would have answered to the requests and the batch of a day."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import ProbationPolicy, Role
from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.decisions.tenures import challengers_on, probation_on, tenure_on
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.metadata.tables import table_of, version_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import KEY, MODEL_TAG, PREDICTED, REQUEST, SOURCE
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import failing_clearly

# What scores is imported where it is used: pandas and CatBoost take seconds, which whoever only
# loads the definitions does not need.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.resources.bentoml_packages import PackagedModel


class ShadowConfig(ShadowRules, dg.Config):
    """Which models score in the shadow, and on how much."""


@refuses_bad_values(ShadowConfig)
@dg.asset(
    deps=[customer_scores],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"catboost", "sql", "parquet"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def shadow_scores(
    context: dg.AssetExecutionContext,
    config: ShadowConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
) -> dg.Output[dict[str, Any]]:
    """Answers of the models in the shadow, to what the champion was asked on a day.

    They are computed afterwards, from the features as they were served, so that no request is
    slower. In the shadow are the model whose place the champion took, as long as the champion is on
    probation, and challengers on which the gate could not decide. A sample: the same customers
    every day.
    """
    with failing_clearly(context):
        served = ServedAnswers(feature_store.database, artifacts.model_name)
        scored = score_in_shadow(context.partition_key, config, served, promotions, context.log)
    return dg.Output({files.SHADOW_SCORES_FILE: scored.frame}, metadata=_metadata(scored))


@dataclass(frozen=True)
class ShadowScores:
    """What the models in the shadow scored.

    Attributes:
        models: In the shadow, each with its role.
        frame: `SHADOW_COLUMNS`, a row per answer and model.
        not_scored: Why a model did not score, or not all answers, by its tag.
    """

    models: Sequence[tuple[Role, ModelIdentity]]
    frame: "pd.DataFrame"
    not_scored: Mapping[str, str]


def score_in_shadow(
    day: str,
    rules: ShadowRules,
    served: ServedAnswers,
    promotions: Promotions,
    log: logging.Logger,
) -> ShadowScores:
    """Score what was answered on a day by the models in the shadow.

    Args:
        day: The prediction day.
        rules: Which models, and on how much.
        served: The answers.
        promotions: The decisions, and the packages.
        log: Gets why a model did not score.

    Raises:
        FeatureStoreError: The database does not answer, or refuses.
    """
    import pandas as pd

    from credit_ct_dagster.modeling.watching.paired import SHADOW_COLUMNS

    records = promotions.records()
    models = _in_shadow(records, day, rules)
    scored = _Scored()
    if models:
        rows = served.features_of_day(day, most_rows=rules.most_rows)
        # Without a customer, no label will ever come.
        rows = rows[rows[schema.CUSTOMER].notna()].reset_index(drop=True)
        scored = _scored(models, rows, _asked_columns(records, day, promotions), promotions, log)
    frame = pd.concat(scored.frames) if scored.frames else pd.DataFrame(columns=SHADOW_COLUMNS)
    return ShadowScores(models, frame[SHADOW_COLUMNS], scored.not_scored)


@dataclass
class _Scored:
    """What the models scored, and why one of them did not."""

    frames: "list[pd.DataFrame]" = field(default_factory=list)
    not_scored: dict[str, str] = field(default_factory=dict)


def _in_shadow(
    records: Sequence[DecisionRecord], day: str, rules: ShadowRules
) -> list[tuple[Role, ModelIdentity]]:
    """The models that score a day, each with its role."""
    models = []
    on_probation, _ = probation_on(records, day, rules)
    if on_probation and rules.probation != ProbationPolicy.off:
        models.append((Role.previous, on_probation.previous))
    models += [
        (Role.challenger, each.model)
        for each in challengers_on(records, day, rules)
        if each.since <= day <= each.until
    ]
    return models


def _asked_columns(
    records: Sequence[DecisionRecord], day: str, promotions: Promotions
) -> set[str] | None:
    """The features that requests of a day have; None if nobody knows.

    The log has those that the champion was asked by: another model may take more.
    """
    tenure = tenure_on(records, day)
    if tenure is None:
        return None
    try:
        champion = promotions.load(promotions.newest_package(tenure.promotion.model))
    except UnavailableError:
        raise
    except CreditCtError:  # only models in the shadow are needed
        return None
    return set(champion.scorer.columns)


def _scored(
    models: Sequence[tuple[Role, ModelIdentity]],
    rows: "pd.DataFrame",
    asked: set[str] | None,
    promotions: Promotions,
    log: logging.Logger,
) -> _Scored:
    """The answers of each model; one that cannot be loaded is passed over, with the reason."""
    found = _Scored()
    for role, model in models:
        try:
            package = promotions.load(promotions.newest_package(model))
        except UnavailableError:
            raise
        except CreditCtError as error:
            reason = f"{role.value} of base date {model.base_dt} does not score: {error.sentence}"
            log.warning(reason)
            found.not_scored[model.bentoml_tag] = reason
            continue
        more = sorted(set(package.scorer.columns) - (asked or set(schema.FEATURES)))
        usable = rows
        if more:
            usable = rows[rows[SOURCE] != REQUEST]
            reason = (
                f"{role.value} of base date {model.base_dt} scores no requests: it takes"
                f" {', '.join(more)}, which the champion is not asked by"
            )
            log.warning(reason)
            found.not_scored[package.identity.bentoml_tag] = reason
        found.frames.extend(_answers(package, role, usable))
    return found


def _answers(
    package: "PackagedModel", role: Role, rows: "pd.DataFrame"
) -> "Iterator[pd.DataFrame]":

    if rows.empty:
        return
    answers = package.scorer.answer_rows(rows).rename(columns={CLASS_COLUMN: PREDICTED})
    named = {MODEL_TAG: package.identity.bentoml_tag, "role": role.value}
    yield rows[[SOURCE, KEY, schema.CUSTOMER]].join(answers).assign(**named)


def _metadata(scored: ShadowScores) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "dagster/partition_row_count": len(scored.frame),
        "models": table_of(
            [
                {
                    "role": role.value,
                    "base_dt": model.base_dt,
                    "version": version_of(model.bentoml_tag),
                }
                for role, model in scored.models
            ]
        ),
    }
    if scored.not_scored:
        shown["not_scored"] = "; ".join(scored.not_scored.values())
    return shown
