"""The models of the simulated year: few trees, fitted as the platform does it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.leakage import prepared
from benchmarks.split_models import scorer_of
from benchmarks.year_world import World
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.scorer.ordinal import Model
from credit_ct_dagster.scorer.scorer import Scored, Scorer

MODEL_NAME = "year"
_TRAIN_SHARE, _VAL_SHARE = 0.70, 0.15
_TREES, _DEPTH = 60, 6
_KEY = ["id", schema.CUSTOMER]


@dataclass(frozen=True)
class YearModel:
    """A model, with the rows that it was made from.

    Attributes:
        identity: Its names.
        scorer: As a package has it.
        splits: Raw rows.
    """

    identity: ModelIdentity
    scorer: Scorer
    splits: dict[str, pd.DataFrame]

    @property
    def tag(self) -> str:
        """Its package."""
        return self.identity.bentoml_tag

    def answers(self, rows: pd.DataFrame) -> Scored:
        """What it answers to raw rows."""
        return self.scorer.score_rows(rows)

    def truly(self, world: World, number: int) -> float:
        """Its true accuracy on a day."""
        return world.worth(self.answers(world.rows).classes, number)


def train(rows: pd.DataFrame, base_dt: str, version: int, *, spoiled: float = 0.0) -> YearModel:
    """Fit a model to the rows of a base date.

    Args:
        rows: Raw, with labels.
        base_dt: The base date.
        version: Its number.
        spoiled: The share of the rows that it learns from whose labels were joined to the wrong
            customers, 0 to 1. Those that it is calibrated on are right.
    """
    splits = split_by_customer(rows.sort_values(_KEY, ignore_index=True), _TRAIN_SHARE, _VAL_SHARE)
    learned = splits
    if spoiled:
        learned = {**splits, "train": _spoiled(splits["train"], spoiled, version)}
    ready = prepared(learned)
    model = _fitted(ready)
    identity = ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id=f"{version:032x}",
        dagster_run_id="",
        data_fingerprint="",
        bentoml_tag=f"{MODEL_NAME}:v{version:03}",
        registered_model=MODEL_NAME,
        registered_version=str(version),
    )
    return YearModel(identity, scorer_of(model, learned, ready), splits)


def _spoiled(rows: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rows[schema.TARGET].to_numpy(dtype=object, copy=True)
    places = np.flatnonzero(rng.random(len(rows)) < share)
    labels[places] = labels[rng.permutation(places)]
    return rows.assign(**{schema.TARGET: labels})


def _fitted(rows: dict[str, pd.DataFrame]) -> Model:
    from credit_ct_dagster.modeling.search.search_space import TuningParameters
    from credit_ct_dagster.modeling.search.training import TrainingData, fit

    parameters = TuningParameters(depth=[_DEPTH], iterations=_TREES)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")
    data = TrainingData.of(rows["train"], rows["val"], schema.FEATURES, text=parameters.text)
    return fit(data, {**parameters.centre(), **fixed}, patience, thread_count=1)
