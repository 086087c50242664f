"""The rules of the gate, and the verdicts of the past that they refer to."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, Field, model_validator

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.modeling import schema


class GateRules(BaseModel):
    """When a challenger is promoted."""

    margin: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Margin of the metric, 0 or more, by which the challenger must be better: the"
        " lower end of the interval has to lie above it",
    )
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, of the interval of the difference"
        " between challenger and champion",
    )
    draws: int = Field(
        default=2000,
        ge=100,
        description="Number of bootstrap draws, 100 or more; with 2,000 the ends of a 95 % interval"
        " are stable",
    )
    seed: int = Field(
        default=42,
        ge=0,
        description="Seed of the bootstrap: the same rows give the same interval",
    )
    min_rows: int = Field(
        default=100,
        ge=1,
        description="Minimum holdout rows, of all windows together, on which two models are"
        " compared; with fewer, the evidence is insufficient. The first model is exempt: it is"
        " promoted on one row or more, unless it lies below a floor. Probabilities are compared on"
        " as many rows, of the newest windows that are needed for them",
    )
    min_customers: int = Field(
        default=30,
        ge=1,
        description="Minimum customers of these rows; with fewer, the evidence is insufficient: the"
        " bootstrap draws customers, and of five it finds two equally good models different in one"
        " of ten cases",
    )
    min_differing_rows: int = Field(
        default=10,
        ge=1,
        description="Minimum rows on which the two models predict different classes; with fewer,"
        " the evidence is insufficient, because a bootstrap of so few rows gives no valid interval",
    )
    max_champion_age_days: int = Field(
        default=31,
        ge=1,
        description="Age of the champion in days above which a challenger that is not inferior"
        " replaces it. After 31 days it has seen none of the current label window. Such a"
        " challenger may be slightly worse: docs/promotion.md says how often",
    )
    non_inferiority_margin: float = Field(
        default=0.02,
        ge=0,
        allow_inf_nan=False,
        description="Margin of the metric by which a challenger may be worse and still count as not"
        " inferior",
    )
    min_recall: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Minimum recall of each class on the holdout, 0 to 1",
    )
    min_slice_accuracy: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=f"Minimum accuracy in each {schema.GROUP_KINDS} on the holdout, 0 to 1",
    )
    min_slice_rows: int = Field(
        default=30,
        ge=1,
        description="Minimum rows of a group; smaller groups have no floor, because chance decides"
        " their accuracy",
    )
    floor_confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which a challenger lies below a"
        " floor: all floors together keep out a model that lies exactly at each of them in at most"
        " 1 - floor_confidence of cases",
    )
    excuse_shared_floors: bool = Field(
        default=True,
        description="Lets a challenger that is better take the place of a champion whose value is"
        " below the same floor, unless the challenger's is lower beyond doubt (a paired test on the"
        " same rows). Off, any floor keeps it out",
    )
    probability_confidence: float = Field(
        default=0.99,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which a check warns that the"
        " probabilities of challenger or champion are worse. It changes no decision",
    )
    cool_down_days: int = Field(
        default=1,
        ge=0,
        description="Days after a promotion in which no other model is promoted",
    )
    rollback_cool_down_days: int = Field(
        default=7,
        ge=0,
        description="Days after a rollback, by whomever, in which no other model is promoted. Those"
        " of base dates up to the rollback never are: the one that was rolled back stays out",
    )
    agreeing: int = Field(
        default=1,
        ge=1,
        description="Number of base dates (N of the last M) whose challengers must have been better"
        " than the champion",
    )
    agreeing_of: int = Field(
        default=1, ge=1, description="Number of last base dates (M) among which N must agree"
    )
    holdout_windows: int = Field(
        default=3,
        ge=1,
        le=12,
        description="Number of label windows, 1 to 12, whose holdout rows are pooled: this base"
        " date's, and as many earlier ones as exist that do not overlap",
    )
    window_confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which the newest label window"
        " contradicts those before it. Then they are not pooled: the newest decides, at a level of"
        " 1 - (1 - confidence) (1 - window_confidence), so that both ways to be promoted together"
        " are wrong as rarely as one",
    )
    replace_newer: bool = Field(
        default=False,
        description="Lets an older base date replace the champion of a newer one; off, so that a"
        " backfill does not bring back old models",
    )
    approval: ApprovalPolicy = Field(
        default=ApprovalPolicy.off,
        description="Whether a person has to approve a promotion: off (the gate promotes by itself;"
        " YAML needs quotes: 'off') or required (the model waits for credit-ct approve; who serves"
        " goes on serving). A rollback waits for nobody",
    )
    approval_days: int = Field(
        default=7,
        ge=1,
        le=62,
        description="Days, 1 to 62, for which a model waits for an approval. Then it is not"
        " promoted, on record",
    )

    @model_validator(mode="after")
    def _some_of_more(self) -> Self:
        if self.agreeing > self.agreeing_of:
            raise ValueError("agreeing must not exceed agreeing_of")
        return self

    @property
    def newest_confidence(self) -> float:
        """Level of the interval by which the newest window decides where others contradict it."""
        return round(1 - (1 - self.confidence) * (1 - self.window_confidence), 12)


@dataclass(frozen=True)
class PastVerdict:
    """What was found about the challenger of a base date.

    Attributes:
        base_dt: The base date.
        champion_version: The registered version that it was compared with.
        better: Whether the lower bound of the difference lay above the margin.
    """

    base_dt: str
    champion_version: str
    better: bool
