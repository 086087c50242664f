"""Prepared rows, small searches, and a tracker that records in memory."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import optuna
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.local_workers import LocalWorkers
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster.modeling.search.trials import FittedTrial
from credit_ct_dagster.modeling.search.tuning import Progress, best_of, tune


@pytest.fixture(scope="session")
def raw_rows() -> pd.DataFrame:
    """Labelled rows as they are in the database."""
    labels, features = generate(2_000, date(2025, 8, 31), seed=0)
    return labels.merge(features, on=schema.KEY)


@pytest.fixture(scope="session")
def splits(raw_rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Prepared rows."""
    raw = split_by_customer(raw_rows, 0.7, 0.15)
    scalers = fit_scalers(raw["train"])
    return {name: prepare(rows, scalers) for name, rows in raw.items()}


@pytest.fixture(scope="session")
def data(splits: dict[str, pd.DataFrame]) -> TrainingData:
    """The same, as CatBoost takes them."""
    return training_data(splits["train"], splits["val"])


def training_data(
    train: pd.DataFrame,
    val: pd.DataFrame,
    features: Sequence[str] = schema.FEATURES,
    **how: Any,
) -> TrainingData:
    """Rows as CatBoost takes them, texts by default as the search does."""
    return TrainingData.of(train, val, features, **{"text": TuningParameters().text, **how})


def search(**changes: Any) -> TuningParameters:
    """A search of two candidates that fit in a blink, without pruning."""
    small = {"depth": [3], "rsm": [1.0], "l2_leaf_reg": [3.0, 9.0], "iterations": 20,
             "pruning": "none"}  # fmt: skip
    return TuningParameters(**small | changes)


def new_study(parameters: TuningParameters) -> optuna.Study:
    """A study in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="minimize", sampler=parameters.optuna_sampler(0))


class Memory:
    """A tracker that records in memory."""

    def __init__(self) -> None:
        self.recorded: list[FittedTrial] = []

    def record(self, fitted: FittedTrial) -> str:
        self.recorded.append(fitted)
        return f"run-{fitted.trial.number}-{len(self.recorded)}"


def run(
    data: TrainingData,
    parameters: TuningParameters,
    study: optuna.Study | None = None,
    tracker: Memory | None = None,
    n_jobs: int = 1,
    favourites: list[dict[str, float]] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Trial]:
    """Run a search on threads."""
    with LocalWorkers(data, parameters, tracker or Memory(), n_jobs, thread_count=1) as workers:
        return tune(
            study or new_study(parameters), parameters, workers, favourites or [], on_progress
        )


def model_of(trials: list[Trial], memory: Memory) -> CatBoostClassifier:
    """The model of the best trial."""
    best = best_of(trials)
    [fitted] = [each for each in memory.recorded if best and each.trial.number == best.number]
    return fitted.model
