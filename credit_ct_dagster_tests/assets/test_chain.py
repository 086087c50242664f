"""The chain of assets, from the tables to the package, in one process."""

from pathlib import Path

import dagster as dg
import joblib
import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.files import (
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    SCALERS_FILE,
    SCALERS_FOLDER,
    SPLIT_FILES,
)
from credit_ct_dagster.contracts.search import SearchSummary, TrialCounts
from credit_ct_dagster.contracts.splits import Scale, ScalersRecord
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict
from credit_ct_dagster.modeling.rows.preparation import prepare
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.scorer.ordinal import load_model
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import (
    ASSETS,
    BASE_DT,
    Platform,
    Templates,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.trained import Trained


def test_artifacts_have_their_names_and_agree(trained: Trained) -> None:
    """Files are where the contract puts them, and agree with each other and with MLflow."""
    platform, result = trained.platform, trained.result
    name, root = platform.model_name, platform.folder / "artifacts"
    files = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    assert files == [
        f"models/{name}/{BASE_DT}/assessment.json",
        f"models/{name}/{BASE_DT}/best.cbm",
        f"models/{name}/{BASE_DT}/decision.json",
        f"models/{name}/{BASE_DT}/drift.json",
        f"models/{name}/{BASE_DT}/lineage.json",
        f"models/{name}/{BASE_DT}/model_card.html",
        f"models/{name}/{BASE_DT}/summary.json",
        f"models/{name}/{BASE_DT}/trials.parquet",
        f"preprocessing/{name}/{BASE_DT}/encoders/robust_scaler.joblib",
        f"preprocessing/{name}/{BASE_DT}/encoders/robust_scaler.json",
        f"preprocessing/{name}/{BASE_DT}/features_target.parquet",
        f"preprocessing/{name}/{BASE_DT}/{name}_holdout.parquet",
        f"preprocessing/{name}/{BASE_DT}/{name}_train.parquet",
        f"preprocessing/{name}/{BASE_DT}/{name}_val.parquet",
        f"preprocessing/{name}/{BASE_DT}/quarantine.parquet",
        f"preprocessing/{name}/{BASE_DT}/summary.json",
        f"promotions/{name}/000001.json",
        f"scores/{name}/{BASE_DT}/quarantine.parquet",
        f"scores/{name}/{BASE_DT}/summary.json",
    ]
    summary = platform.search_summary()
    folder = root / "preprocessing" / name / BASE_DT
    splits = {
        split: pd.read_parquet(folder / f"{name}_{split}.parquet")
        for split in ("train", "val", "holdout")
    }
    assert summary.rows == {split: len(rows) for split, rows in splits.items()}
    customers = [set(rows[schema.CUSTOMER]) for rows in splits.values()]
    assert not customers[0] & customers[1]
    assert not (customers[0] | customers[1]) & customers[2]

    best = load_model(root / "models" / name / BASE_DT / "best.cbm")
    assert evaluate(best, splits["val"]) == pytest.approx(dict(summary.best.val))
    assert evaluate(best, splits["holdout"]) == pytest.approx(dict(summary.best.holdout))
    assert summary.trials == TrialCounts(total=2, completed=2, pruned=0, failed=0)
    assert summary.dagster_run_id == result.run_id

    trials = pd.read_parquet(root / "models" / name / BASE_DT / "trials.parquet")
    ranked = trials.sort_values(["val_accuracy", "val_log_loss"], ascending=[False, True])
    assert ranked.iloc[0]["run_id"] == summary.mlflow.best_run_id
    tracked = platform.tracking.client.get_run(summary.mlflow.best_run_id)
    assert tracked.data.metrics["val_accuracy"] == summary.best.val["accuracy"]
    assert tracked.data.metrics["holdout_accuracy"] == summary.best.holdout["accuracy"]


def test_materializing_twice_gives_the_same_state(trained_copy: Trained) -> None:
    """Byte-identical tables, the same winner, one package per Dagster run."""
    platform, instance = trained_copy.platform, trained_copy.instance
    folder = platform.folder / "artifacts" / "preprocessing"
    first = trained_copy.result
    tables = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    best = platform.search_summary().best
    second = platform.materialize(instance, until="bentoml_model")
    assert len(tables) == 5
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == tables
    assert platform.search_summary().best == best
    claimed = [package.identity.dagster_run_id for package in platform.packages.packaged()]
    assert claimed == [first.run_id, second.run_id]


def test_the_metadata_show_what_a_person_wants_to_know(trained: Trained) -> None:
    """Counts, the table of trials, pictures and links are in the metadata."""
    platform, result, instance = trained.platform, trained.result, trained.instance
    merged = metadata_of(result, "features_target")
    assert merged["window"] == "2025-02-10 to 2025-03-10"
    assert merged["dagster/partition_row_count"] > 400
    assert merged["labels_without_features"] == merged["labels_with_invalid_date"] == 0
    tuned = metadata_of(result, "tuned_runs")
    assert len(tuned["trials"].records) == 2
    for picture in ("search", "confusion_matrix", "feature_importances"):
        path = f"/search-pictures/{BASE_DT}/{picture}.svg?model={platform.model_name}"
        assert tuned[picture] == f"![{picture}.svg]({path})", "short: shown without a click"
    assert tuned["mlflow_run"].startswith("[the search](<http://127.0.0.1:5000/#/experiments/")
    assert "mlflow" in tuned["mlflow_links_answer_after"]
    scalers = metadata_of(result, "robust_scalers")
    assert len(scalers["scalers"].records) == 10
    assert scalers["scalers_shown"].startswith(f"10 of {len(schema.NUMERIC)}; ")
    assert metadata_of(result, "bentoml_model")["bentoml_tag"].startswith(platform.model_name)
    everything = "\n".join(map(str, instance.all_logs(result.run_id)))
    assert BASE_DT in everything
    assert "Customer " not in everything, "names stay in the database"
    assert "000-00-" not in everything, "ssn stays in the database"


def test_scalers_are_what_the_seeds_consumers_load(trained: Trained) -> None:
    """A joblib file with a dict from column to scaler, fitted on the training rows only."""
    platform = trained.platform
    scalers = joblib.load(
        platform.folder / "artifacts" / "preprocessing" / platform.model_name / BASE_DT
        / "encoders" / "robust_scaler.joblib"
    )  # fmt: skip
    assert list(scalers) == schema.NUMERIC
    raw = platform.store.read(BASE_DT)
    prepared = platform.splits()[SPLIT_FILES["train"]]
    train = raw[raw["id"].isin(prepared["id"])]
    for column, scaler in scalers.items():
        assert scaler.center_[0] == pytest.approx(np.nanmedian(train[column]), abs=1e-9)
    pd.testing.assert_frame_equal(
        prepare(train, scalers)[schema.FEATURES].reset_index(drop=True),
        prepared[schema.FEATURES],
        check_dtype=False,
    )


def test_scalers_of_other_rows_are_not_packaged(trained_copy: Trained) -> None:
    """The seed's worst fault: a model with scalers that it was not trained with."""
    platform, instance = trained_copy.platform, trained_copy.instance
    columns = dict(platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord).columns)
    center = columns["age"].center
    assert center is not None
    columns["age"] = Scale(center=center + 1, scale=columns["age"].scale)
    moved = ScalersRecord(columns=columns)
    platform.artifacts.write(SCALERS_FOLDER, BASE_DT, {SCALERS_FILE: moved})
    result = platform.materialize(instance, selection=dg.AssetSelection.assets("bentoml_model"))
    assert "The scalers are not those" in failure_of(result)
    assert len(platform.packages.packaged()) == 1


def test_splits_of_two_runs_are_not_mixed(trained_copy: Trained) -> None:
    """The search uses only the rows that the summary of the splits describes."""
    platform, instance = trained_copy.platform, trained_copy.instance
    name = SPLIT_FILES["val"]
    rows = platform.splits()[name].iloc[1:]
    platform.artifacts.write(PREPROCESSING_FOLDER, BASE_DT, {name: rows})
    result = dg.materialize(
        ASSETS,
        partition_key=BASE_DT,
        instance=instance,
        resources=platform.resources(),
        selection=dg.AssetSelection.assets("tuned_runs"),
        raise_on_error=False,
    )
    assert "The val rows" in failure_of(result)


def test_an_empty_window_fails_in_a_sentence(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """It names the base date, the window, the reason and how to clear it; nothing was made."""
    result = platform.materialize(instance, base_dt="2025-12-01")
    reason = failure_of(result)
    assert "Base date 2025-12-01" in reason
    assert "2025-11-01 to 2025-12-01 never had rows" in reason
    assert "credit-ct prune --failed-runs-of 2025-12-01 --yes. See CT-ROWS-1: " in reason
    assert not result.get_asset_materialization_events()
    assert reason.endswith("#ct-rows-1")
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    assert not (platform.folder / "artifacts").exists()
    client = platform.tracking.client
    runs = client.search_runs([platform.tracking.experiment_id()])
    [search] = runs
    assert search.info.status == "FAILED"
    assert search.data.tags["mlflow.note.content"] == (
        f"It ended without a model; the page of Dagster run {result.run_id} says why."
    )


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("asset", ["features_target", "preprocessed_splits"])
def test_a_store_that_is_down_is_tried_again(
    platform: Platform, instance: dg.DagsterInstance, asset: str
) -> None:
    """An outage gets several attempts, and fails in the end with the sentence."""
    platform.materialize(instance, selection=dg.AssetSelection.assets("features_target"))
    down = FeatureStore(url="mysql+pymysql://root@127.0.0.1:1/mlops")
    step = dg.AssetSelection.assets(asset).required_multi_asset_neighbors()
    result = platform.materialize(instance, selection=step, feature_store=down)
    assert sum(event.is_step_up_for_retry for event in result.all_events) == 4
    assert f"Base date {BASE_DT}: The feature store at" in failure_of(result)
    assert "does not answer" in failure_of(result)


def test_an_unexpected_failure_is_not_tried_again(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same code fails the same way; a search is not run five times for it."""
    monkeypatch.setattr(FeatureStore, "merge", lambda self, base_dt, **_: self.merge[base_dt])
    result = platform.materialize(instance, selection=dg.AssetSelection.assets("features_target"))
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    assert "not subscriptable" in failure_of(result)


def test_dirty_rows_survive(platform: Platform, instance: dg.DagsterInstance) -> None:
    """Missing words, negative delays and words never seen before do not stop a run."""
    labels = pd.DataFrame(
        [(f"x{n}", f"y{n}", BASE_DT, schema.CLASSES[n % 3]) for n in range(60)],
        columns=schema.LABEL_COLUMNS,
    )
    features = labels[schema.KEY].assign(
        delay_from_due_date=-5.0, occupation="Astronaut", credit_mix=None
    ).reindex(columns=schema.FEATURE_COLUMNS)  # fmt: skip
    platform.store.upsert({"credit_score": labels, "credit_score_features": features})
    result = platform.materialize(instance)
    assert result.success
    train = platform.splits()[SPLIT_FILES["train"]]
    assert "Astronaut" in set(train["occupation"])


def test_the_chain_runs_on_mariadb(
    mariadb: MariaDB,
    tmp_path: Path,
    templates: Templates,
    trained: Trained,
    instance: dg.DagsterInstance,
) -> None:
    """The same rows lead to nearly the same model; only FLOAT rounds."""
    url = mariadb.new_database()
    platform = Platform.prepared(tmp_path, templates, url)
    assert platform.materialize(instance).success
    on_mariadb = platform.search_summary()
    on_sqlite = trained.platform.search_summary()
    assert on_mariadb.rows == on_sqlite.rows
    assert on_mariadb.best.holdout["accuracy"] == pytest.approx(
        on_sqlite.best.holdout["accuracy"], abs=0.02
    )


def test_tables_can_be_csv(trained_copy: Trained) -> None:
    """With the IO manager set to CSV the whole chain works, with the same result."""
    platform, instance = trained_copy.platform, trained_copy.instance
    in_parquet = platform.search_summary().best
    csv = ArtifactsIOManager(
        base_path=str(platform.folder / "csv"),
        model_name=platform.model_name,
        table_format="csv",
    )
    assert platform.materialize(instance, artifacts=csv).success
    folder = csv.open(MODEL_FOLDER, BASE_DT)
    assert folder.read(SearchSummary).best == in_parquet
    holdout = platform.splits()[SPLIT_FILES["holdout"]]
    assert predict(folder["best.cbm"], holdout).shape == (len(holdout),)
