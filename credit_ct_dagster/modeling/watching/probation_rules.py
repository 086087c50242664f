"""The rules for models in the shadow, and for a champion on probation."""

from pydantic import BaseModel, Field

from credit_ct_dagster.contracts.probation import ProbationPolicy
from credit_ct_dagster.modeling.judging.gate_rules import GateRules


class ShadowRules(BaseModel):
    """Which models score in the shadow, and on how much."""

    probation: ProbationPolicy = Field(
        default=ProbationPolicy.alert,
        description="What follows when the champion is worse, beyond doubt, than the model whose"
        " place it took: alert (a check fails until a person decides), rollback (the model before"
        " serves again), or off (nothing is scored or compared, challengers included; YAML needs"
        " quotes: 'off')",
    )
    probation_days: int = Field(
        default=62,
        ge=1,
        le=186,
        description="Prediction days, 1 to 186, after which a probation ends undecided, and a"
        " challenger leaves the shadow for good: 62 are two label windows, since labels come late",
    )
    most_challengers: int = Field(
        default=3,
        ge=0,
        le=20,
        description="Challengers at most, 0 to 20, that score in the shadow at a time; the others"
        " wait for none. 0 keeps all of them out",
    )
    shadow_days: int = Field(
        default=14,
        ge=1,
        le=62,
        description="Prediction days, 1 to 62, on which a challenger scores in the shadow, from the"
        " gate's decision on. Labels of these days are waited for until probation_days",
    )
    most_rows: int = Field(
        default=5000,
        ge=100,
        description="Answers of a day at most, 100 or more, that are scored in the shadow. Of more,"
        " a sample: the same customers every day",
    )


class ProbationRules(ShadowRules, GateRules):
    """When a champion is confirmed or goes, and when a challenger in the shadow takes its place.

    The rules of the gate hold for what is promoted from the shadow as well; where RUN_CONFIG gives
    champion_model other values, they are the defaults here.
    """

    probation_confidence: float = Field(
        default=0.99,
        gt=0.5,
        lt=1,
        description="Confidence level, above 0.5 and below 1, of the interval of the difference"
        " between the champion and the model before. It holds for the evaluations of all days"
        " together, so that to look every day raises no false rollback",
    )
    label_days: int = Field(
        default=31,
        ge=0,
        description="Days after the day of its features within which a label may be dated to belong"
        " to an answer; what RUN_CONFIG sets for served_performance is the default here",
    )
    in_a_row: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Evaluations in a row, 1 to 30, that have to say the same, each with more"
        " labels than the one before: one day's faulty labels decide nothing",
    )
    promote_from_shadow: bool = Field(
        default=True,
        description="Promotes a challenger that is better beyond doubt by what it scored in the"
        " shadow, under the same rules as the gate. Off, its evidence is only reported",
    )
