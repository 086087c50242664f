"""Models of a split, as the platform makes them, without any store."""

from collections.abc import Sequence

import numpy as np
import optuna
import pandas as pd

from benchmarks.leakage import prepared
from benchmarks.plan import Plan
from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import calibrate
from credit_ct_dagster.modeling.answers.class_weights import choose_rule
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, record_of
from credit_ct_dagster.modeling.search.local_workers import LocalWorkers
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.modeling.search.trials import FittedTrial
from credit_ct_dagster.modeling.search.tuning import best_of, tune
from credit_ct_dagster.scorer.ordinal import Model
from credit_ct_dagster.scorer.scorer import Scorer

Rows = dict[str, pd.DataFrame]
"""Rows per split, raw or prepared."""


def centre(rows: Rows, plan: Plan, features: Sequence[str] = schema.FEATURES) -> Model:
    """The centre of the bank's grid, which the search tries first."""
    parameters = TuningParameters(**plan.parameters)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")
    data = TrainingData.of(rows["train"], rows["val"], features, text=parameters.text)
    return fit(data, {**parameters.centre(), **fixed}, patience, thread_count=-1)


def scorer_of(model: Model, raw: Rows, rows: Rows) -> Scorer:
    """The model as it would serve: calibrated, with the class rule of the default utility."""
    calibration = calibrate(model, rows["val"])
    labels = raw["train"][schema.TARGET].value_counts().to_dict()
    record = scorer_record(
        model=model,
        scales=record_of(fit_scalers(raw["train"])).columns,
        calibrated=calibration.model.calibrated,
        train=raw["train"],
        limits={},
        rule=choose_rule(calibration, rows["val"], labels, Utility()).data,
    )
    return Scorer(model, record.model_dump(mode="json"))


def retrained(raw: Rows, places: np.ndarray, plan: Plan) -> Scorer:
    """A model as it would serve, of some of the training rows."""
    part = {**raw, "train": raw["train"].iloc[places].reset_index(drop=True)}
    rows = prepared(part)
    return scorer_of(centre(rows, plan), part, rows)


class _Kept:
    """Records no trial, and keeps the models."""

    def __init__(self) -> None:
        self.models: dict[int, Model | None] = {}

    def record(self, fitted: FittedTrial) -> str:
        self.models[fitted.trial.number] = fitted.model
        return f"trial {fitted.trial.number}"


def searched(rows: Rows, parameters: TuningParameters) -> tuple[Trial, dict[int, Model]]:
    """Search prepared rows; returns the winner, and the model of every number."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=parameters.optuna_sampler(0))
    data = TrainingData.of(rows["train"], rows["val"], schema.FEATURES, text=parameters.text)
    kept = _Kept()
    with LocalWorkers(data, parameters, kept, n_jobs=-1, thread_count=-1) as workers:
        trials = tune(study, parameters, workers, [parameters.centre()], lambda progress: None)
    best = best_of(trials)
    assert best is not None
    return best, {number: each for number, each in kept.models.items() if each is not None}
