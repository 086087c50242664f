"""A fitted model in the pipeline's own form, and the scorer made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import METHODS, CalibratedModel, aligned, fitted
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import Scalers, fit_scalers, prepare, record_of
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster_tests.modeling.conftest import training_data


@dataclass(frozen=True)
class Pipeline:
    """What the training steps leave: scalers, and a calibrated model of prepared rows."""

    scalers: Scalers
    model: CalibratedModel
    train: pd.DataFrame

    def predicted(self, raw: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Classes, and probabilities from the worst class to the best."""
        rows = prepare(raw, self.scalers)
        probabilities = aligned(self.model.predict_proba(rows), self.model.classes)
        return self.model.predict(rows), probabilities

    def scorer(self) -> Scorer:
        """The same as one object."""
        record = scorer_record(
            model=self.model.model,
            scales=record_of(self.scalers).columns,
            calibrated=self.model.calibrated,
            train=self.train,
            limits={},
            protected=["age"],
        )
        return Scorer(self.model.model, record.model_dump(mode="json"))


def made_rows() -> Mapping[str, pd.DataFrame]:
    """Raw labelled rows per split."""
    labels, features = generate(2_000, date(2025, 8, 31), seed=0)
    return split_by_customer(labels.merge(features, on=schema.KEY), 0.7, 0.15)


def made_pipelines(rows: Mapping[str, pd.DataFrame]) -> dict[str, Pipeline]:
    """One pipeline per calibration method, on one small model."""
    scalers = fit_scalers(rows["train"])
    val = prepare(rows["val"], scalers)
    data = training_data(prepare(rows["train"], scalers), val)
    model = fit(data, {"iterations": 25, "depth": 4, "learning_rate": 0.3,
                       "loss_function": "MultiClassOneVsAll"}, 25, thread_count=1)  # fmt: skip
    return {
        method: Pipeline(scalers, fitted(model, method, val), rows["train"]) for method in METHODS
    }


@pytest.fixture(scope="session")
def rows() -> Mapping[str, pd.DataFrame]:
    """Raw labelled rows per split."""
    return made_rows()


@pytest.fixture(scope="session")
def pipelines(rows: Mapping[str, pd.DataFrame]) -> dict[str, Pipeline]:
    """One pipeline per calibration method, on one small model."""
    return made_pipelines(rows)


@pytest.fixture(scope="session")
def scorer(pipelines: Mapping[str, Pipeline]) -> Scorer:
    """A scorer with isotonic calibration."""
    return pipelines["isotonic"].scorer()
