"""How the performance of answers is measured and estimated: what a bank may configure."""

from pydantic import BaseModel, Field

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate_rules import GateRules

_GATE = GateRules()
FLOORS = ("min_recall", "min_slice_accuracy", "min_slice_rows", "floor_confidence")
"""The options that are the gate's: what RUN_CONFIG sets for `champion_model` holds here, too."""


class AnswerRules(BaseModel):
    """Which labels count, and how uncertain a figure is."""

    label_days: int = Field(
        default=31,
        ge=0,
        description="Days after the day of its features within which a label may be dated to belong"
        " to an answer; 31 is the label window",
    )
    min_customers: int = Field(
        default=30,
        ge=2,
        description="Minimum customers whose label is known for a figure, of all answers or of a"
        " group; with fewer, the bootstrap of customers gives intervals that are too narrow",
    )
    draws: int = Field(
        default=1000,
        ge=100,
        description="Number of bootstrap draws of customers, 100 or more",
    )
    seed: int = Field(
        default=42,
        ge=0,
        description="Seed of the bootstrap: the same answers and labels give the same intervals",
    )
    days: int = Field(
        default=62,
        ge=1,
        le=400,
        description="How many prediction days before its own are looked at: in the plots, and for"
        " the record of how far off estimates were. Labels of the last month are not complete",
    )


class PerformanceRules(AnswerRules):
    """How the answers of a prediction day are measured by their labels."""

    min_recall: float = Field(
        default=_GATE.min_recall,
        ge=0,
        le=1,
        description="Minimum recall of each class, 0 to 1: as the gate requires of a challenger",
    )
    min_slice_accuracy: float = Field(
        default=_GATE.min_slice_accuracy,
        ge=0,
        le=1,
        description=f"Minimum accuracy in each {schema.GROUP_KINDS}, 0 to 1: as the gate requires"
        " of a challenger",
    )
    min_slice_rows: int = Field(
        default=_GATE.min_slice_rows,
        ge=1,
        description="Minimum labelled answers of a group; smaller groups have no floor, because"
        " chance decides their accuracy",
    )
    floor_confidence: float = Field(
        default=_GATE.floor_confidence,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, at which a model lies below a floor"
        " beyond doubt: on one day, all floors together miss a model that lies exactly at each of"
        " them in at most 1 - floor_confidence of cases",
    )

    @property
    def gate(self) -> GateRules:
        """The same, as the gate's floors take them."""
        return GateRules(
            min_recall=self.min_recall,
            min_slice_accuracy=self.min_slice_accuracy,
            min_slice_rows=self.min_slice_rows,
            floor_confidence=self.floor_confidence,
        )


class EstimationRules(AnswerRules):
    """How the answers of a prediction day are estimated by their probabilities."""

    min_record_days: int = Field(
        default=7,
        ge=1,
        description="Minimum earlier days with labels on which the estimates of a model are"
        " compared with reality; with fewer, those of all models are its record",
    )
