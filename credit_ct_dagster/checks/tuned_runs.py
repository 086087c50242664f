"""What must hold of the best model of a base date."""

import dagster as dg

from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.contracts.files import (
    BEST_MODEL_FILE,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    SPLIT_FILES,
    SPLITS,
)
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.evidence.same_run import require_searched
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.rounding import signed


@dg.asset_check(
    asset="tuned_runs",
    blocking=True,
    description="On the holdout, the model is more accurate than the majority class (the 95 %"
    " interval of the gain is above 0) and than a tree of the best single feature. Its class is"
    " that of the highest raw score: the class rule is chosen when it is packaged.",
)
@needs_base_date
def model_beats_baselines(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Measure model and baselines on the same holdout rows."""
    # scikit-learn and CatBoost take seconds to import.
    from credit_ct_dagster.modeling.judging.baselines import compare_with_baselines
    from credit_ct_dagster.modeling.judging.evaluation import predict

    base_dt = base_date_of(context)
    folder = artifacts.open(PREPROCESSING_FOLDER, base_dt)
    searched = artifacts.open(MODEL_FOLDER, base_dt)
    require_searched(searched.read(SearchSummary), folder.read(SplitsSummary))
    splits = {name: folder[SPLIT_FILES[name]] for name in SPLITS}
    model = searched[BEST_MODEL_FILE]
    majority, feature = compare_with_baselines(
        **splits,
        predicted=predict(model, splits["holdout"]),
        features=model.feature_names_,
    )
    # A small holdout cannot tell a good model from a good feature, but well from guessing.
    beaten = majority.gain.low > 0 and feature.gain.value > 0
    sentence = "; ".join(
        f"{signed(each.gain.value, digits=3)} accuracy over {each.name}, {each.accuracy:.3f}"
        f" (95 % interval {signed(each.gain.low, digits=3)} to {each.gain.high:+.3f})"
        for each in (majority, feature)
    )
    if not beaten:
        sentence += (
            ". The model is not reliably better than a baseline: check the labels and features of"
            " the window, and whether it has enough rows"
        )
    return result(
        context,
        passed=beaten,
        observed=min(majority.gain.low, feature.gain.value),
        limit=0.0,
        sentence=f"{sentence}.",
    )
