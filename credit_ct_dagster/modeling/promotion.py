"""Whether a new model takes the champion's place: the rules of the gate.

Both models are scored on the same rows of customers that neither saw. See docs/promotion.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, field_validator, model_validator

from credit_ct_dagster.modeling import confusion, schema
from credit_ct_dagster.modeling.confusion import Estimate, Metric
from credit_ct_dagster.modeling.slices import SLICES


class Ground(StrEnum):
    """Why a decision was taken."""

    first = "first"
    better = "better"
    aged = "aged"
    worse = "worse"
    insufficient_evidence = "insufficient evidence"
    below_floor = "below floor"
    older = "older base date"
    cooling_down = "cooling down"
    no_agreement = "no agreement yet"
    person = "a person"

    @classmethod
    def of_better(cls) -> "set[Ground]":
        """Those of a challenger that was found to be better, whatever became of it."""
        return {cls.better, cls.cooling_down, cls.no_agreement}


class GateRules(BaseModel):
    """When a challenger is promoted."""

    metric: Metric = Field(default=Metric.macro_f1, description="What models are compared by")
    cost_matrix: list[list[float]] = Field(
        default=[[0.0, 2.0, 5.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]],
        description="For expected_cost: rows are true classes, columns predicted ones, in the order"
        " Poor, Standard, Good",
    )
    margin: float = Field(
        default=0.0, ge=0, description="How much better the challenger must be beyond doubt"
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="Of the interval of the difference"
    )
    draws: int = Field(default=2000, ge=100, description="Bootstrap draws")
    seed: int = Field(default=42, ge=0, description="Of the bootstrap")
    max_champion_age_days: int = Field(
        default=31,
        ge=1,
        description="An older champion gives way to a challenger that is not inferior; 31: it has"
        " seen none of the current label window",
    )
    non_inferiority_margin: float = Field(
        default=0.02, ge=0, description="How much worse a challenger that is not inferior may be"
    )
    min_recall: float = Field(
        default=0.4, ge=0, le=1, description="Floor of each class's recall on the holdout"
    )
    min_slice_accuracy: float = Field(
        default=0.5, ge=0, le=1, description="Floor of accuracy in each age band and occupation"
    )
    min_slice_rows: int = Field(
        default=30, ge=1, description="Smaller slices say too little to hold a model back"
    )
    cool_down_days: int = Field(
        default=1, ge=0, description="Base dates after a promotion on which none follows"
    )
    agreeing: int = Field(default=1, ge=1, description="N: base dates that must agree")
    agreeing_of: int = Field(default=1, ge=1, description="M: of this many last base dates")
    holdout_windows: int = Field(
        default=1,
        ge=1,
        le=12,
        description="Label windows whose holdout rows are pooled: this base date's, and earlier"
        " ones that do not overlap",
    )
    replace_newer: bool = Field(
        default=False, description="Let an older base date replace a newer champion"
    )

    @field_validator("cost_matrix")
    @classmethod
    def _of_three_classes(cls, value: list[list[float]]) -> list[list[float]]:
        if np.shape(value) != (len(schema.CLASSES),) * 2 or not np.isfinite(value).all():
            raise ValueError("must be three rows of three numbers")
        return value

    @model_validator(mode="after")
    def _some_of_more(self) -> Self:
        if self.agreeing > self.agreeing_of:
            raise ValueError("agreeing must not exceed agreeing_of")
        return self

    def goodness(self, counts: np.ndarray) -> np.ndarray:
        """The metric of confusion counts, turned so that more is better."""
        return confusion.goodness(counts, self.metric, np.array(self.cost_matrix))


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes:
        metric: What was compared.
        challenger: Its value, of all rows.
        champion: Its value.
        difference: How much better the challenger is; below 0 when it is worse.
        rows: How many rows.
        customers: Of how many customers.
    """

    metric: Metric
    challenger: float
    champion: float
    difference: Estimate
    rows: int
    customers: int


@dataclass(frozen=True)
class Floor:
    """A least value that a challenger must reach.

    Attributes:
        what: Names the class or the slice.
        value: Reached.
        least: Asked for.
        rows: It was measured on.
    """

    what: str
    value: float
    least: float
    rows: int

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return bool(self.value >= self.least)


@dataclass(frozen=True)
class Champion:
    """What the gate needs to know of the model in service.

    Attributes:
        base_dt: What it was trained on.
        version: Registered model version.
    """

    base_dt: str
    version: str


@dataclass(frozen=True)
class PastVerdict:
    """What was found of a base date's challenger.

    Attributes:
        base_dt: The base date.
        champion_version: Whom it was compared with.
        better: Whether the lower bound of the difference lay above the margin.
    """

    base_dt: str
    champion_version: str
    better: bool


@dataclass(frozen=True)
class Decision:
    """What became of a challenger, and why.

    Attributes:
        promoted: Whether it is the champion now.
        ground: Why.
        sentence: The same for a person.
        comparison: With the champion; none without one, or when there was nothing to compare.
        floors: What the challenger had to reach.
    """

    promoted: bool
    ground: Ground
    sentence: str
    comparison: Comparison | None = None
    floors: Sequence[Floor] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"floors": [asdict(each) | {"met": each.met} for each in self.floors]}


def compare(
    rows: pd.DataFrame, challenger: np.ndarray, champion: np.ndarray, rules: GateRules
) -> Comparison:
    """Compare two models by their predictions of the same rows.

    A paired bootstrap: each draw takes the same customers for both.

    Args:
        rows: Labelled rows of customers that neither model saw.
        challenger: Predicted classes, shape (rows,).
        champion: The same.
        rules: The metric and the bootstrap.
    """
    counts = np.stack(
        [confusion.counts_per_customer(rows, each) for each in (challenger, champion)], axis=1
    )
    ours, theirs = rules.goodness(counts.sum(axis=0))
    drawn = rules.goodness(confusion.resampled(counts, rules.draws, rules.seed))
    sign = -1 if rules.metric == Metric.expected_cost else 1
    return Comparison(
        metric=rules.metric,
        challenger=sign * float(ours),
        champion=sign * float(theirs),
        difference=confusion.estimate(ours - theirs, drawn[:, 0] - drawn[:, 1], rules.confidence),
        rows=len(rows),
        customers=len(counts),
    )


def floors(rows: pd.DataFrame, predicted: np.ndarray, rules: GateRules) -> list[Floor]:
    """What a challenger reaches per class and slice, beside what it must.

    Args:
        rows: Labelled rows, raw.
        predicted: Classes, shape (rows,).
        rules: The least values.
    """
    counts = confusion.counts_per_customer(rows, predicted).sum(axis=0)
    found = [
        Floor(f"recall of {name}", float(np.nan_to_num(value)), rules.min_recall, int(true))
        for name, value, true in zip(
            schema.CLASSES, confusion.recall(counts), counts.sum(axis=1), strict=True
        )
    ]
    right = pd.Series(predicted == rows[schema.TARGET].to_numpy(dtype=str), index=rows.index)
    for title, slice_of in SLICES.items():
        for name, of_slice in right.groupby(slice_of(rows)):
            if len(of_slice) >= rules.min_slice_rows:
                found.append(
                    Floor(
                        f"accuracy of {title} {name}",
                        float(of_slice.mean()),
                        rules.min_slice_accuracy,
                        len(of_slice),
                    )
                )
    return found


def decide(
    base_dt: str,
    champion: Champion | None,
    comparison: Comparison | None,
    reached: Sequence[Floor],
    history: Sequence[PastVerdict],
    rules: GateRules,
) -> Decision:
    """Apply the gate.

    Args:
        base_dt: The challenger's base date.
        champion: The model in service, if there is one.
        comparison: With that champion.
        reached: The challenger's floors.
        history: What was found on other base dates, in any order.
        rules: The gate's rules.
    """

    def decided(promoted: bool, ground: Ground, sentence: str) -> Decision:
        return Decision(promoted, ground, sentence, comparison, reached)

    missed = [each for each in reached if not each.met]
    if missed:
        named = ", ".join(
            f"{each.what} {each.value:.3f} (at least {each.least:g})" for each in missed
        )
        return decided(False, Ground.below_floor, f"Not promoted: below a floor: {named}.")
    if champion is None:
        return decided(
            True, Ground.first, "Promoted: there was no champion, and every floor is met."
        )
    if base_dt < champion.base_dt and not rules.replace_newer:
        return decided(
            False,
            Ground.older,
            f"Not promoted: the champion is of {champion.base_dt}, a newer base date"
            " (replace_newer: true would let an older one win).",
        )
    assert comparison is not None
    return _by_evidence(base_dt, champion, comparison, history, rules, decided)


def _by_evidence(
    base_dt: str,
    champion: Champion,
    comparison: Comparison,
    history: Sequence[PastVerdict],
    rules: GateRules,
    decided: Any,
) -> Decision:
    """What the comparison says of a challenger that meets every floor."""
    difference = comparison.difference
    seen = (
        f"{comparison.metric.value} {comparison.challenger:.4f} against {comparison.champion:.4f}"
        f" of the champion of {champion.base_dt}; better by {difference.value:+.4f},"
        f" {rules.confidence:.0%} interval {difference.low:+.4f} to {difference.high:+.4f}, on"
        f" {comparison.rows:,} rows"
    )
    age = (date.fromisoformat(base_dt) - date.fromisoformat(champion.base_dt)).days
    if difference.low > rules.margin:
        if 0 <= age <= rules.cool_down_days:
            return decided(
                False,
                Ground.cooling_down,
                f"Not promoted: better ({seen}), but the champion was promoted {age} days before"
                f" (cool_down_days: {rules.cool_down_days}).",
            )
        agreeing = 1 + _agreeing(base_dt, champion, history, rules)
        if agreeing < rules.agreeing:
            return decided(
                False,
                Ground.no_agreement,
                f"Not promoted: better ({seen}), but only {agreeing} of the last"
                f" {rules.agreeing_of} base dates agree (agreeing: {rules.agreeing}).",
            )
        return decided(True, Ground.better, f"Promoted: {seen}.")
    if difference.high < rules.margin:
        return decided(False, Ground.worse, f"Not promoted: not better ({seen}).")
    if age > rules.max_champion_age_days and difference.low > -rules.non_inferiority_margin:
        return decided(
            True,
            Ground.aged,
            f"Promoted: the champion is {age} days old, and the challenger is not inferior"
            f" ({seen}).",
        )
    return decided(
        False, Ground.insufficient_evidence, f"Not promoted: insufficient evidence ({seen})."
    )


def _agreeing(
    base_dt: str, champion: Champion, history: Sequence[PastVerdict], rules: GateRules
) -> int:
    """How many of the base dates before found their challengers better than this champion."""
    newest: Mapping[str, PastVerdict] = {
        past.base_dt: past for past in history if past.base_dt < base_dt
    }
    recent = sorted(newest, reverse=True)[: rules.agreeing_of - 1]
    return sum(
        newest[day].better and newest[day].champion_version == champion.version for day in recent
    )
