"""A usual training script, written plainly, with which the platform is compared.

One process, one step after the other, each library used as its own tutorial shows: pandas reads the
rows through SQLAlchemy and PyMySQL, one RobustScaler per column, CSV files, CatBoost over the grid
on all cores, MLflow's fluent API, the best run by accuracy, BentoML. It shares two things with the
platform, so that both train on the same data: the split, and the processing of text.
"""

import itertools
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import click
import joblib
import mlflow
import mlflow.catboost
import pandas as pd
import sqlalchemy as sa
from catboost import CatBoostClassifier, Pool
from mlflow.entities import Run
from mlflow.models import infer_signature
from sklearn.preprocessing import RobustScaler

from benchmarks.bare_sql import merge_statements
from benchmarks.windows import TRAIN_SHARE, VAL_SHARE, read_splits
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.training import TEXT_PROCESSING

GRID = {"depth": [7, 8, 9], "rsm": [0.8, 0.9, 1.0], "l2_leaf_reg": [3.0, 5.0, 7.0]}
ITERATIONS, EARLY_STOPPING = 2_000, 50
NOT_FEATURES = [schema.BASE_DATE, *schema.KEY, schema.TARGET]
MODEL_NAME = "credit_score_classification"


@dataclass(frozen=True)
class Tuned:
    """The result of the search.

    Attributes:
        best: The run with the highest accuracy.
        model: Its model, loaded back from MLflow.
        fit_seconds: Time of all fits.
        log_model_seconds: Time of all calls of `log_model`.
    """

    best: Run
    model: CatBoostClassifier
    fit_seconds: float
    log_model_seconds: float


def read_rows(engine: sa.Engine, base_dt: str) -> pd.DataFrame:
    """Merge labels and features of a base date, and read the rows."""
    with engine.begin() as connection:
        for statement in merge_statements(base_dt):
            connection.execute(sa.text(statement))
    query = f"SELECT * FROM credit_score_features_target WHERE base_dt = '{base_dt}'"
    with engine.connect() as connection:
        rows = pd.read_sql(sa.text(query), connection)
    if rows.empty:
        raise ValueError(f"No rows for {base_dt}")
    return rows


def preprocess(splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Scale numbers, fill missing categories and texts, and write CSV files."""
    folder.mkdir(parents=True)
    scalers = {}
    for column in schema.NUMERIC:
        scaler = RobustScaler()
        scalers[column] = scaler.fit(splits["train"][[column]])
        for rows in splits.values():
            rows[column] = scaler.transform(rows[[column]]).ravel()
    joblib.dump(scalers, folder / "robust_scaler.joblib")
    for name, rows in splits.items():
        rows[schema.WORDS] = rows[schema.WORDS].fillna(schema.MISSING_WORD)
        rows.to_csv(folder / f"{name}.csv", index=False)


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the CSV files back."""
    return {name: pd.read_csv(folder / f"{name}.csv") for name in ("train", "val", "holdout")}


def make_pool(rows: pd.DataFrame) -> Pool:
    """The rows as a CatBoost pool."""
    return Pool(
        rows.drop(columns=NOT_FEATURES),
        label=rows[schema.TARGET],
        cat_features=schema.CATEGORICAL,
        text_features=schema.TEXT,
    )


def tune(
    experiment_id: str, train: pd.DataFrame, val: pd.DataFrame, settings: Mapping[str, Any]
) -> Tuned:
    """Fit every candidate, each in an MLflow run with its model; choose by accuracy."""
    train_pool, val_pool = make_pool(train), make_pool(val)
    x_train = train.drop(columns=NOT_FEATURES)
    grid = {name: settings.get(name, values) for name, values in GRID.items()}
    fit_seconds = log_model_seconds = 0.0
    for number, values in enumerate(itertools.product(*grid.values())):
        params = dict(zip(grid, values, strict=True))
        with mlflow.start_run(run_name=f"candidate {number}"):
            started = time.perf_counter()
            model = CatBoostClassifier(
                **params,
                loss_function="MultiClassOneVsAll",
                learning_rate=0.3,
                iterations=settings.get("iterations", ITERATIONS),
                random_seed=42,
                thread_count=-1,
                custom_metric=["F1", "Accuracy"],
                text_processing=TEXT_PROCESSING,
                verbose=False,
            )
            model.fit(train_pool, eval_set=val_pool, early_stopping_rounds=EARLY_STOPPING)
            fitted = time.perf_counter()
            mlflow.log_params({**params, "best_iteration": model.get_best_iteration()})
            scores = model.get_best_score()["validation"]
            mlflow.log_metrics({name.replace("=", " "): value for name, value in scores.items()})
            logging = time.perf_counter()
            signature = infer_signature(x_train, model.predict(x_train))
            mlflow.catboost.log_model(model, name="model", signature=signature)
            log_model_seconds += time.perf_counter() - logging
            fit_seconds += fitted - started
    found = mlflow.search_runs(
        experiment_ids=[experiment_id], order_by=["metrics.Accuracy DESC"], max_results=1
    )
    best = mlflow.get_run(found.iloc[0]["run_id"])
    return Tuned(best, load_model(best.info.run_id), fit_seconds, log_model_seconds)


def load_model(run_id: str) -> CatBoostClassifier:
    """The model of a run."""
    return mlflow.catboost.load_model(f"runs:/{run_id}/model")


def start_experiment() -> str:
    """Make an experiment the active one; returns its id."""
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    return mlflow.set_experiment(MODEL_NAME).experiment_id


@click.group()
def main() -> None:
    """Train as a usual script does."""


@main.command("base-date")
@click.argument("base_dt")
@click.option("--settings", default="{}", help="Other parameters than the bank's, as JSON.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def base_date(base_dt: str, settings: str, result: Path) -> None:
    """Go from the two source tables to a packaged model."""
    folder = Path(os.environ["ARTIFACTS_PATH"]) / "preprocessing" / MODEL_NAME / base_dt
    engine = sa.create_engine(os.environ["FEATURE_STORE_URL"])
    rows = read_rows(engine, base_dt)
    preprocess(split_by_customer(rows, TRAIN_SHARE, VAL_SHARE), folder)
    splits = load(folder)
    tuned = tune(start_experiment(), splits["train"], splits["val"], json.loads(settings))
    holdout = evaluate(tuned.model, splits["holdout"])
    bentoml.catboost.save_model(
        MODEL_NAME,
        tuned.model,
        signatures={"predict": {"batchable": True, "batch_dim": 0}},
        metadata=tuned.best.data.params,
    )
    result.write_text(json.dumps({"holdout": holdout, "fit_seconds": tuned.fit_seconds}))


@main.command("tuning")
@click.argument("window", type=click.Path(path_type=Path))
@click.option("--settings", default="{}", help="Other parameters than the bank's, as JSON.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def tuning(window: Path, settings: str, result: Path) -> None:
    """Search on the rows of a window, and measure only the search.

    Afterwards the model of every candidate is evaluated as the platform evaluates its own.
    """
    preprocess(read_splits(window), Path("csv"))
    splits = load(Path("csv"))
    experiment_id = start_experiment()
    started = time.perf_counter()
    tuned = tune(experiment_id, splits["train"], splits["val"], json.loads(settings))
    seconds = time.perf_counter() - started
    runs = mlflow.search_runs(experiment_ids=[experiment_id], order_by=["attributes.start_time"])
    trials = []
    for _, run in runs.iterrows():
        model = load_model(run["run_id"])
        trials.append(
            {
                "params": {name: float(run[f"params.{name}"]) for name in GRID},
                "iterations": int(model.tree_count_),
                "metrics": evaluate(model, splits["val"]),
                "reported_accuracy": float(run["metrics.Accuracy"]),
                "holdout_accuracy": evaluate(model, splits["holdout"])["accuracy"],
            }
        )
    found = {
        "seconds": seconds,
        "fit_seconds": tuned.fit_seconds,
        "log_model_seconds": tuned.log_model_seconds,
        "winner": {name: float(tuned.best.data.params[name]) for name in GRID},
        "holdout": evaluate(tuned.model, splits["holdout"]),
        "holdout_right": (
            predict(tuned.model, splits["holdout"]) == splits["holdout"][schema.TARGET].to_numpy()
        ).tolist(),
        "trials": trials,
    }
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
