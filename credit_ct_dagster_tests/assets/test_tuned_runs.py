"""The search for the best model: its trials in MLflow, and which of them are retained."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from mlflow.entities import ViewType

from credit_ct_dagster.contracts.files import (
    MODEL_FOLDER,
    SEARCH_SUMMARY_FILE,
    SPLIT_FILES,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.search import training
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TEXT_PROCESSING
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    HALVING_SEARCH,
    SMALL_SEARCH,
    Platform,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.trained import Trained


def _search(trained: Trained, **changes: Any) -> None:
    """Search again on a trained platform."""
    search = SMALL_SEARCH | changes
    made = trained.platform.materialize(
        trained.instance, search=search, checks=False, until="tuned_runs"
    )
    assert made.success


def test_mlflow_has_a_parent_and_a_run_per_candidate(trained: Trained) -> None:
    """All ended, tagged, nested; each with the model that its metrics were measured on."""
    platform, result = trained.platform, trained.result
    import mlflow

    summary = platform.search_summary()
    client = platform.tracking.client
    runs = client.search_runs([summary.mlflow.experiment_id], run_view_type=ViewType.ALL)
    assert {run.info.status for run in runs} == {"FINISHED"}
    parent = client.get_run(summary.mlflow.parent_run_id)
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(runs) == len(children) + 1 == 3
    for run in (parent, *children):
        assert run.data.tags["credit_ct.base_dt"] == BASE_DT
        assert run.data.tags["credit_ct.dagster_run_id"] == result.run_id
        assert run.data.tags["credit_ct.data_fingerprint"] == summary.data_fingerprint
    assert parent.info.run_name == f"{BASE_DT}, search"
    assert {r.info.run_name for r in children} == {f"{BASE_DT}, trial {n}" for n in range(2)}
    [best] = [r for r in children if "credit_ct.best" in r.data.tags]
    note = parent.data.tags["mlflow.note.content"]
    assert f"The best of 2 trials is [{best.info.run_name}](" in note
    assert f"[Model card](http://127.0.0.1:3000/model-card/{BASE_DT}" in note
    for run in (parent, best):
        assert run.inputs is not None
        named = {each.dataset.name: each for each in run.inputs.dataset_inputs}
        assert list(named) == [f"{BASE_DT} {name}" for name in ("train", "val", "holdout")]
        digests = [each.dataset.digest for each in named.values()]
        assert digests == list(platform.splits_summary().fingerprints.values())
    progress = client.get_metric_history(parent.info.run_id, "best_val_accuracy")
    assert [point.step for point in progress] == [1, 2]
    assert progress[-1].value == best.data.metrics["val_accuracy"]
    val = platform.splits()[SPLIT_FILES["val"]]
    mlflow.set_tracking_uri(platform.tracking.tracking_uri)
    for run in children:
        uri = f"runs:/{run.info.run_id}/model"
        signature = mlflow.models.get_model_info(uri).signature
        assert signature.inputs.input_names() == schema.FEATURES
        model = platform.tracking.load_model(run.info.run_id)
        measured = evaluate(model, val)
        tracked = {key: run.data.metrics[f"val_{key}"] for key in measured}
        assert tracked == pytest.approx(measured)
        assert run.data.params["best_iteration"] == str(model.tree_count_ - 1)
        if isinstance(model, CatBoostClassifier):
            assert mlflow.catboost.load_model(uri).tree_count_ == model.tree_count_
        assert run.data.params["iterations"] == str(SMALL_SEARCH["iterations"])
        assert {"depth", "rsm", "l2_leaf_reg", "learning_rate"} <= set(run.data.params)


def test_what_was_pruned_is_tracked_as_such_with_its_curve(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """MLflow has for each candidate how it ended, why, and its loss after each tree."""
    result = platform.materialize(instance, search=HALVING_SEARCH, until="tuned_runs")
    trials = platform.models()["trials.parquet"].set_index("run_id")
    assert set(trials["state"]) == {"completed", "pruned"}
    client = platform.tracking.client
    for run_id, trial in trials.iterrows():
        run = client.get_run(str(run_id))
        curve = platform.tracking.curve(str(run_id))
        assert run.info.status == "FINISHED", "a red cross is for what went wrong"
        assert run.data.tags["credit_ct.state"] == trial["state"]
        if trial["state"] == "pruned":
            assert run.data.tags["credit_ct.reason"] == trial["reason"]
            assert trial["reason"].startswith("fell behind after ")
            assert "a minimised loss (MultiClassOneVsAll) of" in trial["reason"]
            assert len(curve) == trial["iterations"]
            assert "val_accuracy" not in run.data.metrics
        else:
            assert int(np.argmin(curve)) + 1 == trial["iterations"]
        assert run.data.tags["credit_ct.trial"] == str(trial["trial"])
        assert run.info.end_time >= run.info.start_time
    summary = platform.search_summary()
    assert summary.trials.pruned == (trials["state"] == "pruned").sum()
    shown = [dict(record.data) for record in metadata_of(result, "tuned_runs")["trials"].records]
    completed = trials[trials["state"] == "completed"].sort_values("val_accuracy", ascending=False)
    assert len(shown) == 8
    assert shown[0]["accuracy"] == round(completed["val_accuracy"].iloc[0], 4)
    assert [row["state"] for row in shown] == sorted(trials["state"])
    assert list(shown[0]) == [
        "trial", "state", "depth", "rsm", "l2", "trees", "accuracy", "macro_f1", "log_loss",
    ]  # fmt: skip


def test_finished_trials_are_retained_and_nested_under_the_newest_search(
    trained_copy: Trained,
) -> None:
    """Again with the same rows and configuration fits nothing; `resume: false` fits all."""
    platform = trained_copy.platform
    first = platform.models()["trials.parquet"]
    _search(trained_copy)
    assert platform.models()["trials.parquet"].equals(first)
    summary = platform.search_summary()
    for run_id in first["run_id"]:
        tags = platform.tracking.client.get_run(run_id).data.tags
        assert tags["mlflow.parentRunId"] == summary.mlflow.parent_run_id
    _search(trained_copy, resume=False)
    afresh = platform.models()["trials.parquet"]
    assert set(afresh["run_id"]).isdisjoint(first["run_id"])
    measured = ["trial", "val_accuracy", "val_log_loss", "iterations"]
    assert afresh[measured].equals(first[measured])
    statuses = [platform.tracking.client.get_run(run).info.status for run in first["run_id"]]
    assert statuses == ["FINISHED", "FINISHED"], "the runs of an earlier search are not changed"


def test_other_rows_or_another_configuration_start_anew(trained_copy: Trained) -> None:
    """Trials are retained only for the same rows and the same configuration."""
    platform = trained_copy.platform
    first = set(platform.models()["trials.parquet"]["run_id"])
    _search(trained_copy, learning_rate=0.2)
    second = set(platform.models()["trials.parquet"]["run_id"])
    assert first.isdisjoint(second)
    labels = pd.DataFrame([("z1", "zz", BASE_DT, "Good")], columns=schema.LABEL_COLUMNS)
    features = labels[schema.KEY].reindex(columns=schema.FEATURE_COLUMNS)
    for n in range(20):  # enough customers that some of them train
        more = labels.assign(id=f"z{n}", customer_id=f"zz{n}")
        row = features.assign(id=f"z{n}", customer_id=f"zz{n}", date=BASE_DT)
        platform.store.upsert({"credit_score": more, "credit_score_features": row})
    _search(trained_copy)
    assert first.isdisjoint(platform.models()["trials.parquet"]["run_id"])


def test_the_last_winner_is_tried_early(platform: Platform, instance: dg.DagsterInstance) -> None:
    """The centre of the grid first, then what won on the newest earlier base date."""
    three = SMALL_SEARCH | {"depth": [2, 3, 4, 5]}
    search: dict[str, Any] = {"search": three, "checks": False, "until": "tuned_runs"}
    platform.materialize(instance, base_dt="2025-03-08", **search)
    summary = platform.search_summary("2025-03-08")
    best = summary.best.model_copy(update={"params": {**summary.best.params, "depth": 5}})
    changed = summary.model_copy(update={"best": best})
    platform.artifacts.write(MODEL_FOLDER, "2025-03-08", {SEARCH_SUMMARY_FILE: changed})
    platform.materialize(instance, **search)
    assert list(platform.models()["trials.parquet"]["depth"]) == [3, 5, 2, 4]


def test_all_candidates_failing_fails_the_run_with_the_first_cause(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent ends FAILED, and so does each candidate's run, with the reason."""
    refusing = {**TEXT_PROCESSING, "dictionaries": [{"dictionary_id": "no such option"}]}
    monkeypatch.setattr(training, "TEXT_PROCESSING", refusing)
    search = SMALL_SEARCH | {"depth": [3], "text": "native"}
    result = platform.materialize(instance, search=search)
    assert "All 1 candidates failed" in failure_of(result)
    runs = platform.tracking.client.search_runs([platform.tracking.experiment_id()])
    assert [run.info.status for run in runs] == ["FAILED", "FAILED"]
    assert any("credit_ct.reason" in run.data.tags for run in runs)
    notes = [run.data.tags["mlflow.note.content"] for run in runs]
    assert any(
        f"It ended without a model; the page of Dagster run {result.run_id}" in note
        for note in notes
    )
    assert not any("in progress" in note for note in notes)
    assert platform.packages.packaged() == []


def test_the_small_search_is_a_valid_one() -> None:
    """The tests' own search is within the limits of the real one."""
    assert len(TuningParameters(**SMALL_SEARCH).candidates()) == 2
