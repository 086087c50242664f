"""The search for the best model: candidates, one fit each, and the choice among them."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
from catboost import CatBoostClassifier, CatBoostError, Pool
from pydantic import BaseModel, Field, field_validator

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.evaluation import evaluate

TEXT_PROCESSING = {
    "tokenizers": [
        {"tokenizer_id": name, "separator_type": "ByDelimiter", "delimiter": delimiter}
        for name, delimiter in (("Space", " "), ("Comma", ","), ("Underscore", "_"))
    ],
    "dictionaries": [
        {"dictionary_id": name, "occurence_lower_bound": "1"} for name in ("BiGram", "Word")
    ],
}
"""How the text features become words."""

_UNSET = "Give at least one value, each of them once."


class TuningParameters(BaseModel):
    """What is searched, and how each candidate is fitted. The defaults are the bank's own."""

    depth: list[int] = Field(default=[7, 8, 9], description="Tree depths to try, 1 to 16")
    rsm: list[float] = Field(
        default=[0.8, 0.9, 1.0],
        description="Shares of the features a split may choose from, to try",
    )
    l2_leaf_reg: list[float] = Field(
        default=[3.0, 5.0, 7.0], description="L2 regularisation strengths to try"
    )
    loss_function: str = Field(
        default="MultiClassOneVsAll",
        pattern="^(MultiClassOneVsAll|MultiClass)$",
        description="MultiClassOneVsAll (one logistic model per class) or MultiClass (softmax)",
    )
    learning_rate: float = Field(default=0.3, gt=0, le=1, description="Shrinkage of each tree")
    iterations: int = Field(default=2000, ge=1, le=100_000, description="At most this many trees")
    early_stopping_rounds: int = Field(
        default=50,
        ge=1,
        description="Stop after this many trees without a lower validation loss",
    )
    random_seed: int = Field(default=42, ge=0, description="Seed of CatBoost")
    thread_count: int = Field(default=-1, ge=-1, description="Threads of each fit; -1: every core")

    @field_validator("depth", "rsm", "l2_leaf_reg")
    @classmethod
    def _values_are_usable(cls, values: list[float], info: Any) -> list[float]:
        low, high = {"depth": (1, 16), "rsm": (0.01, 1), "l2_leaf_reg": (0, 1e6)}[info.field_name]
        if not values or len(set(values)) < len(values):
            raise ValueError(_UNSET)
        outside = [value for value in values if not low <= value <= high]
        if outside:
            raise ValueError(f"{outside[0]} lies outside {low} to {high:g}")
        return values

    def candidates(self) -> list[dict[str, float]]:
        """Every combination of the searched values, the last one changing fastest."""
        searched: dict[str, list[Any]] = {
            "depth": self.depth,
            "rsm": self.rsm,
            "l2_leaf_reg": self.l2_leaf_reg,
        }
        return [
            dict(zip(searched, values, strict=True))
            for values in itertools.product(*searched.values())
        ]

    def fixed(self) -> dict[str, Any]:
        """What all candidates share, by CatBoost's names."""
        return self.model_dump(exclude={"depth", "rsm", "l2_leaf_reg"})


@dataclass(eq=False)
class Trial:
    """One candidate and what became of it.

    Attributes:
        number: Its place in the search, from 0.
        params: The searched parameters.
        state: `completed` or `failed`.
        iterations: Trees in the model that is kept.
        metrics: Of the model that is kept, on the validation rows; see `evaluation.evaluate`.
        seconds: Time to fit and measure.
        error: Why it failed.
        run_id: The run it is tracked as.
        model: The fitted model of the best trial so far; dropped when a better one comes.
    """

    number: int
    params: dict[str, float]
    state: str = "completed"
    iterations: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    run_id: str | None = None
    model: CatBoostClassifier | None = field(default=None, repr=False)

    @property
    def rank(self) -> tuple[float, float, int]:
        """Orders completed trials, best first: accuracy, then log-loss, then the earlier trial."""
        return (-self.metrics["accuracy"], self.metrics["log_loss"], self.number)


class TrialTracker(Protocol):
    """Where trials are recorded."""

    def started(self, number: int, params: dict[str, float]) -> str:
        """Record that a trial begins; returns the id of its run."""
        ...

    def completed(self, trial: Trial, model: CatBoostClassifier) -> None:
        """Record a fitted trial with its metrics and its model."""
        ...

    def failed(self, trial: Trial) -> None:
        """Record that a trial failed."""
        ...


def pool_of(rows: pd.DataFrame) -> Pool:
    """CatBoost's form of prepared, labelled rows."""
    return Pool(
        rows[schema.FEATURES],
        label=rows[schema.TARGET],
        cat_features=schema.CATEGORICAL,
        text_features=schema.TEXT,
    )


def fit(
    train: Pool, val: Pool, params: dict[str, float], fixed: dict[str, Any]
) -> CatBoostClassifier:
    """Fit one candidate; the model keeps the trees up to its lowest validation loss."""
    model = CatBoostClassifier(
        **params,
        **{name: value for name, value in fixed.items() if name != "early_stopping_rounds"},
        text_processing=TEXT_PROCESSING,
        allow_writing_files=False,
        verbose=False,
    )
    return model.fit(train, eval_set=val, early_stopping_rounds=fixed["early_stopping_rounds"])


def tune(
    train: pd.DataFrame,
    val: pd.DataFrame,
    parameters: TuningParameters,
    tracker: TrialTracker,
    on_progress: Callable[[Sequence[Trial], int], None],
) -> list[Trial]:
    """Fit every candidate and record it; one that fails does not stop the others.

    Args:
        train: Prepared rows to fit.
        val: Prepared rows to stop early on and to choose by.
        parameters: The search.
        tracker: Where each trial is recorded.
        on_progress: Called after each trial with the trials so far and their total number.

    Returns:
        All trials in their order; only the best of them carries its model.

    Raises:
        CreditCtError: Every candidate failed; gives the first cause.
    """
    candidates = parameters.candidates()
    trials: list[Trial] = []
    for trial in _run(candidates, train, val, parameters.fixed(), tracker):
        trials.append(trial)
        for beaten in set(_completed(trials)) - {best_of(trials)}:
            beaten.model = None
        on_progress(trials, len(candidates))
    if best_of(trials) is None:
        raise CreditCtError(
            f"All {len(trials)} candidates failed. The first, {trials[0].params}: {trials[0].error}"
        )
    return trials


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial to package: highest accuracy, then lowest log-loss, then earliest; None if none."""
    return min(_completed(trials), key=lambda trial: trial.rank, default=None)


def _completed(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.state == "completed"]


def _run(
    candidates: list[dict[str, float]],
    train: pd.DataFrame,
    val: pd.DataFrame,
    fixed: dict[str, Any],
    tracker: TrialTracker,
) -> Iterator[Trial]:
    train_pool, val_pool = pool_of(train), pool_of(val)
    for number, params in enumerate(candidates):
        started = time.perf_counter()
        trial = Trial(number, params, run_id=tracker.started(number, params))
        try:
            model = fit(train_pool, val_pool, params, fixed)
            trial.model, trial.iterations = model, model.tree_count_
            trial.metrics = evaluate(model, val)
            trial.seconds = time.perf_counter() - started
            tracker.completed(trial, model)
        except BaseException as error:
            trial.state, trial.error, trial.model = "failed", str(error) or repr(error), None
            trial.seconds = time.perf_counter() - started
            tracker.failed(trial)
            if not isinstance(error, CatBoostError):
                raise  # not this candidate's fault: the others would meet it too
        yield trial
