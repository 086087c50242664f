"""The record of a search that the steps after it, commands and people read."""

from collections import Counter

from credit_ct_dagster.contracts.search import BestModel, MlflowRuns, SearchSummary, TrialCounts
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.contracts.trial import TrialState
from credit_ct_dagster.modeling.search.encoding import rows_with_others
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.search.search import SearchRequest, SearchResult


def summary_of(
    request: SearchRequest,
    result: SearchResult,
    splits: SplitsSummary,
    tracking: MlflowTracking,
    read_seconds: float,
) -> SearchSummary:
    """Summarise a search.

    Args:
        request: The search.
        result: What it found.
        splits: The rows that it searched with.
        tracking: Where it is recorded.
        read_seconds: How long it took to read the rows.
    """
    states = Counter(trial.state for trial in result.trials)
    assert result.best.iterations is not None
    return SearchSummary(
        base_dt=request.base_dt,
        model_name=tracking.model_name,
        rows=splits.rows,
        best=BestModel(
            params=result.best.params,
            iterations=result.best.iterations,
            # A trial of release 0.1 has one model, and did not say so.
            trees=result.best.trees or [result.best.iterations],
            fixed={
                **request.parameters.fixed(),
                "monotone": request.parameters.monotone,
                "text": request.parameters.text,
            },
            val=result.best.metrics,
            holdout=result.holdout,
        ),
        trials=TrialCounts(
            total=states.total(),
            completed=states[TrialState.completed],
            pruned=states[TrialState.pruned],
            failed=states[TrialState.failed],
        ),
        seconds={"read": read_seconds, **result.seconds},
        mlflow=MlflowRuns(
            experiment_id=tracking.experiment_id(),
            parent_run_id=request.parent_run_id,
            best_run_id=result.best_run_id,
        ),
        dagster_run_id=request.dagster_run_id,
        data_fingerprint=splits.data_fingerprint,
        fingerprints=splits.fingerprints,
        scalers_fingerprint=splits.scalers_fingerprint,
        seen_share=splits.seen_share,
        features=request.features,
        preset=request.parameters.preset,
        other_kinds=rows_with_others(result.model, request.rows),
    )
