"""Whether the artifacts of a base date belong together, although each was written by itself."""

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.stores import MixedArtifactsError


def require_searched(search: SearchSummary, splits: SplitsSummary) -> None:
    """Make sure that a search was made with these splits.

    Raises:
        MixedArtifactsError: The splits were made again, of other rows, since the search.
    """
    if not search.searched(splits):
        raise MixedArtifactsError(
            f"The splits of base date {splits.base_dt} are not those that its model was searched"
            " with: preprocessed_splits was materialized since. Materialize tuned_runs and all"
            " assets after it for this base date."
        )


def require_decided_on(model: ModelIdentity, search: SearchSummary) -> None:
    """Make sure that a decision is about the best model of a search.

    Raises:
        MixedArtifactsError: There was another search since the decision.
    """
    if model.mlflow_run_id != search.mlflow.best_run_id:
        raise MixedArtifactsError(
            f"The decision of base date {search.base_dt} is about the model of MLflow run"
            f" {model.mlflow_run_id}, but the best model of its search is that of run"
            f" {search.mlflow.best_run_id}: tuned_runs was materialized since. Materialize"
            " bentoml_model, champion_model and model_card for this base date."
        )
