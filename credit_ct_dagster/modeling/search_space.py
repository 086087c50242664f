"""What is searched: the candidates, and how each is fitted."""

import itertools
import math
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Self

import optuna
from catboost import __version__ as catboost_version
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from credit_ct_dagster.modeling.pruning import SuccessiveHalving

Params = dict[str, float]
"""The searched parameters of one candidate, by CatBoost's names."""

_LIMITS = {"depth": (1, 16), "rsm": (0.01, 1), "l2_leaf_reg": (0, 1e6)}
_CAPS = {"max_trials", "max_seconds"}
_NOT_CATBOOSTS = {"sampler", "pruning", "pruning_rungs", "pruning_keep", *_LIMITS, *_CAPS}


class Sampler(StrEnum):
    """How candidates are chosen."""

    grid = "grid"
    random = "random"
    tpe = "tpe"


class Pruning(StrEnum):
    """Whether a candidate that falls behind is given up."""

    successive_halving = "successive_halving"
    none = "none"


class TuningParameters(BaseModel):
    """What is searched, and how each candidate is fitted. The defaults are the bank's own."""

    sampler: Sampler = Field(
        default=Sampler.grid,
        description="grid (every combination), random, or tpe (Optuna's tree-structured Parzen"
        " estimator); the last two draw from the lowest to the highest value of each list and need"
        " max_trials or max_seconds",
    )
    depth: list[int] = Field(default=[7, 8, 9], description="Tree depths, 1 to 16")
    rsm: list[float] = Field(
        default=[0.8, 0.9, 1.0], description="Shares of the features a split may choose from"
    )
    l2_leaf_reg: list[float] = Field(
        default=[3.0, 5.0, 7.0],
        description="L2 regularisation strengths; drawn on a logarithmic scale above 0",
    )
    max_trials: int | None = Field(default=None, ge=1, description="Try at most this many")
    max_seconds: float | None = Field(
        default=None, gt=0, description="Begin no trial after this time; those under way may end"
    )
    pruning: Pruning = Field(
        default=Pruning.successive_halving,
        description="successive_halving (give up a candidate whose validation loss falls behind)"
        " or none",
    )
    pruning_rungs: list[int] = Field(
        default=[6, 30], description="Numbers of trees after which candidates are compared"
    )
    pruning_keep: float = Field(
        default=1 / 3, gt=0, le=1, description="Share of those compared at a rung that goes on"
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
    random_seed: int = Field(default=42, ge=0, description="Seed of CatBoost and of the sampler")

    @field_validator("depth", "rsm", "l2_leaf_reg")
    @classmethod
    def _values_are_usable(cls, values: list[float], info: ValidationInfo) -> list[float]:
        low, high = _LIMITS[info.field_name or ""]
        if not values or len(set(values)) < len(values):
            raise ValueError("Give at least one value, each of them once.")
        outside = [value for value in values if not low <= value <= high]
        if outside:
            raise ValueError(f"{outside[0]} lies outside {low} to {high:g}")
        return values

    @field_validator("pruning_rungs")
    @classmethod
    def _rungs_ascend(cls, rungs: list[int]) -> list[int]:
        if not rungs or rungs[0] < 1 or sorted(set(rungs)) != rungs:
            raise ValueError("Give numbers of trees from 1, each higher than the one before.")
        return rungs

    @model_validator(mode="after")
    def _drawing_ends(self) -> Self:
        if self.sampler != Sampler.grid and self.max_trials is None and self.max_seconds is None:
            raise ValueError(f"sampler {self.sampler} needs max_trials or max_seconds")
        return self

    def candidates(self) -> list[Params]:
        """Every combination of the searched values, the last one changing fastest."""
        searched = self._searched()
        return [
            dict(zip(searched, values, strict=True))
            for values in itertools.product(*searched.values())
        ]

    def centre(self) -> Params:
        """The middle value of each list: for the bank's own lists, the middle of its grid."""
        return {
            name: sorted(values)[(len(values) - 1) // 2]
            for name, values in self._searched().items()
        }

    def contains(self, params: Params) -> bool:
        """Whether a search may try these parameters."""
        if self.sampler == Sampler.grid:
            return params in self.candidates()
        searched = self._searched()
        return params.keys() == searched.keys() and all(
            min(searched[name]) <= value <= max(searched[name]) for name, value in params.items()
        )

    def distributions(self) -> dict[str, BaseDistribution]:
        """The ranges that parameters are drawn from, as Optuna takes them."""
        lowest = min(self.l2_leaf_reg)
        return {
            "depth": IntDistribution(min(self.depth), max(self.depth)),
            "rsm": FloatDistribution(min(self.rsm), max(self.rsm)),
            "l2_leaf_reg": FloatDistribution(lowest, max(self.l2_leaf_reg), log=lowest > 0),
        }

    def optuna_sampler(self, trials_before: int) -> optuna.samplers.BaseSampler:
        """What draws the parameters; after an interruption it goes on with other draws."""
        seed = self.random_seed + trials_before
        if self.sampler == Sampler.tpe:
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        return optuna.samplers.RandomSampler(seed=seed)

    def halving(self) -> SuccessiveHalving:
        """The rule for candidates that fall behind; without pruning it has no rung."""
        rungs = self.pruning_rungs if self.pruning == Pruning.successive_halving else []
        return SuccessiveHalving(rungs, self.pruning_keep)

    def total(self) -> int | None:
        """How many trials the search has; none when only time limits it."""
        if self.sampler == Sampler.grid:
            return int(min(len(self.candidates()), self.max_trials or math.inf))
        return self.max_trials

    def fixed(self) -> dict[str, Any]:
        """What all candidates share, by CatBoost's names, and `early_stopping_rounds`."""
        return self.model_dump(include=set(TuningParameters.model_fields) - _NOT_CATBOOSTS)

    def fingerprint(self, *data: str) -> str:
        """A hash of all that decides how a trial ends, 16 hexadecimal digits.

        Args:
            data: Hashes of the rows.
        """
        chosen = self.model_dump_json(include=set(TuningParameters.model_fields) - _CAPS)
        text = "\n".join([chosen, catboost_version, *data])
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def _searched(self) -> dict[str, list[Any]]:
        return {"depth": self.depth, "rsm": self.rsm, "l2_leaf_reg": self.l2_leaf_reg}
