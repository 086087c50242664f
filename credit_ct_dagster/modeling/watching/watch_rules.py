"""What the rules over the records of the last days are configured by, and what they look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field, model_validator

from credit_ct_dagster.contracts.triggers import Retrain

if TYPE_CHECKING:
    from credit_ct_dagster.contracts.probation import ProbationRecord
    from credit_ct_dagster.contracts.served_performance import (
        EstimatedPerformance,
        ServedPerformance,
    )
    from credit_ct_dagster.contracts.serving_skew import ServingSkew


class WatchRules(BaseModel):
    """When what was served calls for somebody, and whether it starts a training."""

    floor_days: int = Field(
        default=3,
        ge=1,
        description="Number of prediction days (N of the last M) on which the champion must be"
        " below a floor, or below what its probabilities promise, each beyond doubt",
    )
    of_days: int = Field(
        default=7,
        ge=1,
        description="Number of last prediction days (M) that are judged: of those with enough"
        " labels, which are weeks old where labels come late; for drift, of those with answers",
    )
    look_back_days: int = Field(
        default=62,
        ge=1,
        description="Days, counted back from the prediction day, beyond which no labels are waited"
        " for: older days are not judged any more",
    )
    estimate_margin: float = Field(
        default=0.03,
        ge=0,
        le=1,
        description="Share of answers, 0 to 1, by which the accuracy must be lower than the"
        " probabilities promise: the whole interval of the difference has to lie above it",
    )
    estimate_confidence: float = Field(
        default=0.999,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which the last of_days days with"
        " enough labels lie, all together, below what the probabilities promise. Such a look is"
        " taken every day. Days of the same customers, as customers: newest scores them, tell less"
        " than days of others: a higher level allows for that",
    )
    drift_days: int = Field(
        default=3,
        ge=1,
        description="Number of the last of_days days with answers on which the same feature must"
        " have drifted: on a single day, other customers may ask than on the next",
    )
    volume_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the usual number of answers, above 0 to 1, below which the volume has"
        " collapsed, if chance and the day of the week do not explain it",
    )
    volume_confidence: float = Field(
        default=0.999,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which chance is excluded for the"
        " volume of a day. Each source has such a test every day",
    )
    volume_weeks: int = Field(
        default=5,
        ge=1,
        description="Weeks before the prediction day whose volumes are the usual ones",
    )
    retrain: Retrain = Field(
        default=Retrain.off,
        description="Starts a training with this preset of the search (bank, quality) when"
        " performance or drift calls for one; off only alerts",
    )
    cool_down_days: int = Field(
        default=14,
        ge=1,
        description="Days from one training that was started so to the next, 1 or more",
    )

    @model_validator(mode="after")
    def _some_of_more(self) -> Self:
        for name in ("floor_days", "drift_days"):
            if getattr(self, name) > self.of_days:
                raise ValueError(f"{name} must not exceed of_days")
        if self.of_days > self.look_back_days:
            raise ValueError("of_days must not exceed look_back_days")
        return self


@dataclass(frozen=True)
class Watched:
    """What was recorded of a prediction day and of the days before it.

    Attributes:
        day: The prediction day.
        champion: The tag of the champion's package; None if no model was promoted yet.
        performance: Per prediction day, by labels.
        estimated: Per prediction day, by probabilities.
        skew: Per prediction day, features as they were served.
        probation: The newest record of the champion's probation; None without one.
        volumes: Per source and prediction day, answers; 0 on a day without any, and no value where
            nobody knows.
    """

    day: str
    champion: str | None
    performance: "Mapping[str, ServedPerformance]" = field(default_factory=dict)
    estimated: "Mapping[str, EstimatedPerformance]" = field(default_factory=dict)
    skew: "Mapping[str, ServingSkew]" = field(default_factory=dict)
    probation: "ProbationRecord | None" = None
    volumes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
