"""What is searched: the candidates, and how each is fitted."""

import itertools
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.presets import QUALITY, Preset

# Optuna takes a second to import and CatBoost half a second, and the definitions import this
# module: methods import what they call.
if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    from credit_ct_dagster.modeling.search.pruning import SuccessiveHalving

Params = Mapping[str, int | float]
"""The searched parameters of one candidate, by CatBoost's names."""

_LIMITS = {"depth": (1, 16), "rsm": (0.01, 1), "l2_leaf_reg": (0, 1e6)}
_CAPS = {"max_trials", "max_seconds"}
_NOT_CATBOOSTS = {
    "preset", "sampler", "pruning", "pruning_rungs", "pruning_keep", "monotone", "text", *_LIMITS,
    *_CAPS,
}  # fmt: skip


class Sampler(StrEnum):
    """How candidates are chosen."""

    grid = "grid"
    random = "random"
    tpe = "tpe"


class Pruning(StrEnum):
    """Whether a candidate that falls behind is stopped."""

    successive_halving = "successive_halving"
    none = "none"


class Text(StrEnum):
    """How a model takes texts."""

    native = "native"
    counts = "counts"


class TuningParameters(BaseModel):
    """What is searched, and how each candidate is fitted."""

    preset: Preset = Field(
        default=Preset.bank,
        description="Values that belong together: bank, the bank's own grid; or quality, few"
        " candidates with smaller steps and more trees, whose probabilities are better and which"
        " take about as long (docs/performance.md). quality replaces only those of depth, rsm,"
        " l2_leaf_reg, learning_rate, iterations, early_stopping_rounds and pruning_rungs that are"
        " left at the defaults below",
    )
    sampler: Sampler = Field(
        default=Sampler.grid,
        description="Chooses the candidates: grid fits every combination of depth, rsm and"
        " l2_leaf_reg; random and tpe (Optuna's tree-structured Parzen estimator) draw between the"
        " lowest and the highest value of each list and need max_trials or max_seconds. By default"
        " grid, as the bank has always searched",
    )
    depth: list[int] = Field(
        default=[7, 8, 9],
        description="Tree depths to try, each 1 to 16. Deeper trees fit finer patterns, and take"
        " twice as long per level. The default is the bank's own grid",
    )
    rsm: list[float] = Field(
        default=[0.8, 0.9, 1.0],
        description="Shares of the features that each split may choose from, each 0.01 to 1. Lower"
        " shares are faster and overfit less. The default is the bank's own grid",
    )
    l2_leaf_reg: list[float] = Field(
        default=[3.0, 5.0, 7.0],
        description="L2 regularisation strengths of leaf values, each 0 to 1e6; drawn on a"
        " logarithmic scale if the lowest is above 0. The default is the bank's own grid",
    )
    max_trials: int | None = Field(
        default=None,
        ge=1,
        description="Limits the number of candidates, from 1. By default no limit: the whole grid",
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Starts no candidate after this many seconds, above 0; running ones may end."
        " By default no limit, so that the result does not depend on the speed of the machine",
    )
    pruning: Pruning = Field(
        default=Pruning.successive_halving,
        description="Stops candidates whose minimised loss falls behind on validation"
        " (successive_halving), or fits all to their end (none). The default finds the winner of"
        " the whole grid, or one that is as good, in a tenth of the time (docs/performance.md)",
    )
    pruning_rungs: list[int] = Field(
        default=[6, 30],
        description="Compares candidates after these numbers of trees, ascending, from 1. In the"
        " benchmarks, earlier or more rungs than the default lost accuracy, later ones time"
        " (docs/performance.md)",
    )
    pruning_keep: float = Field(
        default=1 / 3,
        gt=0,
        le=1,
        description="Lets this share of the candidates compared at a rung continue, above 0 to 1."
        " By default a third, the usual share of successive halving",
    )
    loss_function: str = Field(
        default="MultiClassOneVsAll",
        pattern="^(MultiClassOneVsAll|MultiClass)$",
        description="The minimised loss: MultiClassOneVsAll (one logistic model per class; the mean"
        " of their losses is below the log-loss of the classes) or MultiClass (softmax). The"
        " default is the bank's own; with monotone: true it is not used",
    )
    monotone: bool = Field(
        default=False,
        description="Lets no prediction get better as a risk rises that the schema declares"
        " (DATA_SCHEMA: late payments, debt, …): each pair of neighbouring"
        " classes gets a model of its own, with monotone constraints. It holds for the classes if"
        " no entry of COST_MATRIX is less than that of a smaller error in the same direction. By"
        " default the model is free, as the bank's own",
    )
    text: Text = Field(
        default=Text.counts,
        description="How models take texts: counts, a number per kind that a text lists"
        " (DATA_SCHEMA: kinds of loan), and any other text as a category;"
        " or native, CatBoost's own words and pairs of words, as the bank's own. By default counts:"
        " a search takes half as long, and no difference of the models can be measured"
        " (docs/decisions/0024-text-encoding.md)",
    )
    learning_rate: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Shrinks the contribution of each tree, above 0 to 1. Lower rates need more"
        " trees. The default is the bank's own",
    )
    iterations: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="Limits the number of trees, 1 to 100,000. The default is the bank's own; early"
        " stopping usually ends a fit well before",
    )
    early_stopping_rounds: int = Field(
        default=50,
        ge=1,
        description="Ends a fit after this many trees without a lower minimised loss on validation,"
        " from 1. The default is the bank's own",
    )
    random_seed: int = Field(
        default=42,
        ge=0,
        description="Seeds CatBoost and the sampler, from 0: the same seed gives the same model."
        " The default is the bank's own",
    )

    @model_validator(mode="before")
    @classmethod
    def _preset_replaces_defaults(cls, given: Any) -> Any:
        """The launchpad passes every default, so a field that has it counts as left alone."""
        if not isinstance(given, dict) or given.get("preset") != Preset.quality:
            return given
        defaults = {name: cls.model_fields[name].default for name in QUALITY}
        left = {name for name, value in defaults.items() if given.get(name, value) == value}
        return given | {name: value for name, value in QUALITY.items() if name in left}

    @field_validator("depth", "rsm", "l2_leaf_reg")
    @classmethod
    def _values_are_usable(cls, values: list[float], info: ValidationInfo) -> list[float]:
        low, high = _LIMITS[info.field_name or ""]
        if not values or len(set(values)) < len(values):
            raise ValueError("must have at least one value, and none twice")
        outside = [value for value in values if not low <= value <= high]
        if outside:
            raise ValueError(f"must lie between {low} and {high:g}, which {outside[0]} does not")
        return values

    @field_validator("pruning_rungs")
    @classmethod
    def _rungs_ascend(cls, rungs: list[int]) -> list[int]:
        if not rungs or rungs[0] < 1 or sorted(set(rungs)) != rungs:
            raise ValueError("must be numbers of trees from 1, each higher than the one before")
        return rungs

    @model_validator(mode="after")
    def _drawing_is_limited(self) -> Self:
        if self.sampler != Sampler.grid and self.max_trials is None and self.max_seconds is None:
            raise ValueError(f"sampler {self.sampler} needs max_trials or max_seconds")
        return self

    @model_validator(mode="after")
    def _monotone_has_its_own_loss(self) -> Self:
        if self.monotone and self.loss_function != "MultiClassOneVsAll":
            raise ValueError(
                f"monotone: true minimises a loss of its own, not {self.loss_function}: leave"
                " loss_function at its default"
            )
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

    def distributions(self) -> "dict[str, BaseDistribution]":
        """The ranges that parameters are drawn from, as Optuna takes them."""
        from optuna.distributions import FloatDistribution, IntDistribution

        lowest = min(self.l2_leaf_reg)
        return {
            "depth": IntDistribution(min(self.depth), max(self.depth)),
            "rsm": FloatDistribution(min(self.rsm), max(self.rsm)),
            "l2_leaf_reg": FloatDistribution(lowest, max(self.l2_leaf_reg), log=lowest > 0),
        }

    def optuna_sampler(self, trials_before: int) -> "BaseSampler":
        """Draws the parameters; a search that continues after an interruption repeats no draw."""
        import optuna

        seed = self.random_seed + trials_before
        if self.sampler == Sampler.tpe:
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        return optuna.samplers.RandomSampler(seed=seed)

    def halving(self) -> "SuccessiveHalving":
        """The rule for candidates that fall behind; without pruning it has no rung."""
        from credit_ct_dagster.modeling.search.pruning import SuccessiveHalving

        rungs = self.pruning_rungs if self.pruning == Pruning.successive_halving else []
        return SuccessiveHalving(rungs, self.pruning_keep)

    def total(self) -> int | None:
        """How many trials the search has; None when only time limits it."""
        if self.sampler == Sampler.grid:
            return int(min(len(self.candidates()), self.max_trials or math.inf))
        return self.max_trials

    def fixed(self) -> dict[str, Any]:
        """What all candidates share, by CatBoost's names, and `early_stopping_rounds`."""
        fixed = self.model_dump(include=set(TuningParameters.model_fields) - _NOT_CATBOOSTS)
        return fixed | ({"loss_function": "Logloss"} if self.monotone else {})

    def fingerprint(self, features: Sequence[str], *data: str) -> str:
        """A hash of all that decides how a trial ends, 16 hexadecimal digits.

        Args:
            features: What models are trained on.
            data: Hashes of the rows.
        """
        # A preset has become the values that it stands for.
        decisive = set(TuningParameters.model_fields) - _CAPS - {"preset"}
        chosen = self.model_dump_json(include=decisive)
        kinds = [
            f"{name}: {', '.join(schema.COLUMNS[name].kinds)}"
            for name in features
            if self.text == Text.counts and schema.COLUMNS[name].kinds
        ]
        text = "\n".join([chosen, version("catboost"), ",".join(features), *kinds, *data])
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def _searched(self) -> dict[str, list[Any]]:
        return {"depth": self.depth, "rsm": self.rsm, "l2_leaf_reg": self.l2_leaf_reg}
