"""The choices that a bank has of what is trained: features, directions, presets."""

import dagster as dg
import mlflow
import numpy as np
import pytest

from credit_ct_dagster.contracts.files import BEST_MODEL_FILE, SPLIT_FILES
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict_proba
from credit_ct_dagster.resources.mlflow.tags import MODEL
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.scorer.encoded import EncodedClassifier
from credit_ct_dagster.scorer.ordinal import OrdinalClassifier
from credit_ct_dagster_tests.platform import SMALL_SEARCH, Platform, failure_of

pytestmark = pytest.mark.integration

_EXCLUDED = ["age", "occupation"]
_FEATURES = [name for name in schema.FEATURES if name not in _EXCLUDED]


def test_a_monotone_model_without_excluded_features_goes_the_whole_way(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Searched, recorded in MLflow, packaged, judged, validated by its own code, and described.

    With texts as counts: a model around a model of several.
    """
    result = platform.materialize(
        instance,
        search=SMALL_SEARCH | {"monotone": True, "text": "counts", "depth": [3]},
        policy=ModelPolicy(excluded_features=_EXCLUDED),
    )
    assert result.success, failure_of(result)
    summary, val = platform.search_summary(), platform.splits()[SPLIT_FILES["val"]]
    assert list(summary.features) == _FEATURES
    assert (summary.best.fixed["monotone"], summary.best.fixed["text"]) == (True, "counts")
    assert dict(summary.other_kinds) == {"train": 0, "val": 0, "holdout": 0}
    model = platform.models()[BEST_MODEL_FILE]
    assert isinstance(model, EncodedClassifier)
    assert isinstance(model.inner, OrdinalClassifier)
    assert model.trees_ == list(summary.best.trees)
    assert model.feature_names_ == _FEATURES
    assert evaluate(model, val) == dict(summary.best.val)
    run_id = summary.mlflow.best_run_id
    assert (
        predict_proba(platform.tracking.load_model(run_id), val) == predict_proba(model, val)
    ).all()
    run = platform.tracking.client.get_run(run_id)
    assert (run.data.params["monotone"], run.data.params["text"]) == ("true", "counts")
    assert run.data.params["loss_function"] == "Logloss"
    assert run.data.params["excluded_features"] == "age, occupation"
    assert run.data.params["preset"] == "bank"
    mlflow.set_tracking_uri(platform.tracking.tracking_uri)
    described = mlflow.models.get_model_info(f"runs:/{run_id}/{MODEL}")
    assert described.signature.inputs.input_names() == _FEATURES
    assert (described.metadata or {})["credit_ct"] == (
        "the file holds the kinds that texts are counted by, beside the model of these counts, and"
        " the file holds one model per pair of neighbouring classes:"
        " credit_ct_dagster.scorer.ordinal.load_model reads it, mlflow.catboost cannot"
    )
    [package] = platform.packages.packaged()
    scorer = platform.packages.load(package.tag).scorer
    assert scorer.columns == _FEATURES
    assert platform.packages.load(package.tag).data.counted.keys() == {"type_of_loan"}
    rows = val.head(20)
    moved = scorer.contributions(rows, 0).sum(axis=1)
    assert np.ptp(scorer.margins(rows)[:, 0] - moved) == pytest.approx(0, abs=1e-9)
    # It became the champion: its own code, in a process without this platform, answered the same.
    assert platform.decision_record().decision.promoted
