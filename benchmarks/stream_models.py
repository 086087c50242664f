"""The models of streams: fitted in processes of low priority, and what they answer."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from benchmarks.streams import Recipe, Stream, World
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import probability_log_loss
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE, ClassRule
from credit_ct_dagster.scorer.scorer import Scored

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.ordinal import Model as FittedModel

VARIANTS: Mapping[str, tuple[Utility, str | None]] = {
    **{metric.value: (Utility(metric=metric), None) for metric in Metric},
    HIGHEST_SCORE: (Utility(), HIGHEST_SCORE),
}
"""What models are judged by, and the class rule if it is not the utility's own."""

_PROCESSES = 2
_LOWEST_PRIORITY = 19
_CLASSES = np.array(schema.CLASSES)


@dataclass(frozen=True)
class Model:
    """What a model answers to every customer of the holdout side.

    Attributes:
        key: Its stream and its name.
        probabilities: Calibrated, shape (customers, 3), in the order of `schema.CLASSES`.
        scores: Raw, of the same shape.
        classes: Per variant, a class per customer.
        truth: Of the customers, which makes the quality of the model known exactly.
    """

    key: tuple[int, str]
    probabilities: np.ndarray
    scores: np.ndarray
    classes: Mapping[str, np.ndarray]
    truth: pd.DataFrame

    @classmethod
    def load(cls, folder: Path, stream: int, name: str, truth: pd.DataFrame) -> Self:
        """Read what `fit_streams` wrote."""
        with np.load(folder / str(stream) / f"{name}.npz") as stored:
            classes = {variant: _CLASSES[stored[variant]] for variant in VARIANTS}
            return cls((stream, name), stored["probabilities"], stored["scores"], classes, truth)

    @cached_property
    def goodness(self) -> Mapping[str, float]:
        """Per variant, the metric on all customers; of expected costs, the negative."""
        return {
            variant: float(
                confusion.goodness(
                    confusion.counts_per_customer(self.truth, classes).sum(axis=0),
                    VARIANTS[variant][0],
                )
            )
            for variant, classes in self.classes.items()
        }

    @cached_property
    def log_loss(self) -> float:
        """On all customers."""
        return probability_log_loss(self.truth[schema.TARGET], self.probabilities)

    def answers(self, customers: np.ndarray, variant: str) -> Scored:
        """To drawn rows, given by the numbers of their customers."""
        return Scored(
            self.classes[variant][customers], self.probabilities[customers], self.scores[customers]
        )


def fit_streams(
    world: World, recipes: Sequence[Recipe], streams: int, days: int, folder: Path
) -> None:
    """Fit the models of streams that a folder does not have yet, and write what they answer.

    Args:
        world: The customers.
        recipes: The models of each stream.
        streams: How many.
        days: Of each stream.
        folder: Where a folder per stream is written.
    """
    for stream in range(streams):
        (folder / str(stream)).mkdir(parents=True, exist_ok=True)
    tasks = [
        (folder / str(stream), stream, recipe)
        for recipe in recipes
        for stream in range(streams)
        if not (folder / str(stream) / f"{recipe.name}.npz").exists()
    ]
    with workers(world, days) as pool:
        for _ in pool.map(_make, tasks):
            pass


@contextmanager
def workers(*shared: object) -> Iterator[ProcessPoolExecutor]:
    """Processes of low priority, each with one thread, that share what they work on.

    They are started anew: CatBoost's and OpenBLAS's threads do not survive a fork.
    """
    with ProcessPoolExecutor(
        _PROCESSES, get_context("spawn"), initializer=_prepare, initargs=shared
    ) as pool:
        yield pool


_shared: list[object] = []


def shared() -> list[object]:
    """In a worker: what was given to `workers`."""
    return _shared


def _prepare(*given: object) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    os.nice(_LOWEST_PRIORITY - os.nice(0))
    threadpool_limits(1)
    _shared[:] = given


def _make(task: tuple[Path, int, Recipe]) -> None:
    """Fit a model, unless it is there, and write its answers."""
    from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
    from credit_ct_dagster.scorer.ordinal import load_model

    folder, number, recipe = task
    world, days = _shared
    assert isinstance(world, World)
    assert isinstance(days, int)
    stream = Stream.of(world, days, number)
    train = stream.rows(world, "train", recipe)
    scalers = fit_scalers(train)
    val = prepare(stream.rows(world, "val", recipe), scalers)
    path = folder / f"{recipe.name}.cbm"
    if path.exists():
        model = load_model(path)
    else:
        model = _fitted(recipe, prepare(train, scalers), val)
        model.save_model(str(path.with_suffix(".part")))
        path.with_suffix(".part").rename(path)
    answers = _answered(model, val, train[schema.TARGET], prepare(world.judged, scalers))
    part = folder / f"{recipe.name}.part.npz"
    np.savez(part, **answers)  # type: ignore[arg-type]
    part.rename(path.with_suffix(".npz"))


def _fitted(recipe: Recipe, train: pd.DataFrame, val: pd.DataFrame) -> "FittedModel":
    """The centre of the bank's own grid, early stopping included."""
    from credit_ct_dagster.modeling.search.search_space import TuningParameters
    from credit_ct_dagster.modeling.search.training import TrainingData, fit

    bank = TuningParameters()
    fixed = bank.fixed()
    patience = fixed.pop("early_stopping_rounds")
    if recipe.trees:
        fixed["iterations"] = recipe.trees
    data = TrainingData.of(train, val, schema.FEATURES, text=bank.text)
    return fit(data, {**bank.centre(), **fixed}, patience, thread_count=1)


def _answered(
    model: "FittedModel", val: pd.DataFrame, labels: pd.Series, judged: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Calibrated probabilities and classes, as the platform's package would answer."""
    from credit_ct_dagster.modeling.answers.calibration import aligned, calibrate
    from credit_ct_dagster.modeling.answers.class_weights import choose_rule

    calibration = calibrate(model, val)
    known = calibration.model.classes
    probabilities = aligned(calibration.model.predict_proba(judged), known)
    scores = aligned(calibration.model.scores(judged), known)
    counts = {str(name): int(count) for name, count in labels.value_counts().items()}
    found = {"probabilities": probabilities, "scores": scores}
    for variant, (utility, rule) in VARIANTS.items():
        data = choose_rule(calibration, val, counts, None if rule else utility).data
        found[variant] = ClassRule(data.rule, data.gains).numbers(scores, probabilities)
    return found
