"""Up to which base date models have learned from labels: by their packages, or by decisions."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.modeling.watching.columns import MODEL_TAG
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore

if TYPE_CHECKING:
    import pandas as pd


def answers_of_day(
    feature_store: FeatureStore,
    promotions: Promotions,
    model_name: str,
    day: str,
    label_days: int,
) -> "tuple[pd.DataFrame, dict[str, str]]":
    """The answers of a prediction day, and what each package that gave some has learned from.

    Args:
        feature_store: Where they are logged.
        promotions: The decisions, and the packages.
        model_name: Whose answers.
        day: The prediction day.
        label_days: As `ServedAnswers.of_day` takes it.

    Returns:
        As `ServedAnswers.of_day` and `learned_until_by_tag` do.
    """
    answers = ServedAnswers(feature_store.database, model_name).of_day(day, label_days=label_days)
    return answers, learned_until_by_tag(promotions, set(answers[MODEL_TAG].unique()), day)


def learned_until(promotions: Promotions, model: ModelIdentity) -> str:
    """The newest base date whose labels a model was fitted to, or any package calibrated on."""
    return max(
        [
            model.base_dt,
            *(
                each.calibrated_on
                for each in promotions.packages.packaged(model.base_dt)
                if each.identity.mlflow_run_id == model.mlflow_run_id
            ),
        ]
    )


def learned_until_by_tag(promotions: Promotions, tags: Collection[str], day: str) -> dict[str, str]:
    """The newest base date whose labels each package was fitted to, or calibrated on.

    Of a package that was deleted, decisions tell the base date of its model, but not on which rows
    it was calibrated: no later ones than those of the day on which it answered.

    Args:
        promotions: The decisions, and the packages.
        tags: Of the packages that answered on a day.
        day: That prediction day.

    Returns:
        By tag; one that neither a package nor a decision has is not among them.
    """
    found = {
        model.bentoml_tag: max(model.base_dt, day)
        for record in promotions.records()
        for model in (record.model, record.before)
        if model and model.bentoml_tag in tags
    }
    return found | {each.tag: each.learned_until for each in promotions.packages.tagged(tags)}
