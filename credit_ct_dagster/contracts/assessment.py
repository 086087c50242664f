"""How good a model is on rows that it has not learned from."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.files import ASSESSMENT_FILE
from credit_ct_dagster.contracts.record import Part, Record


class ProbabilityQuality(Part):
    """How far probabilities can be taken at their word; lower is better.

    Attributes:
        log_loss: In nats.
        brier: 0 to 2.
        ece: Expected calibration error, 0 to 1.
    """

    log_loss: float
    brier: float
    ece: float


class Slice(Part):
    """How a model does in one group.

    Attributes:
        kind: What the groups are made by, such as `age band`.
        name: The group.
        rows: In it.
        accuracy: Share of right predictions.
        favourable: Share that is predicted "Good".
        disparate_impact: That share, divided by the highest of its kind among groups with enough
            rows; below 0.8 is commonly taken as adverse impact (29 CFR 1607.4 D). None when nobody
            is predicted "Good".
    """

    kind: str
    name: str
    rows: int
    accuracy: float
    favourable: float
    disparate_impact: float | None


class Assessment(Part):
    """A model on one split.

    Attributes:
        rows: How many.
        customers: Of how many customers.
        metrics: With 95 % intervals: `accuracy`, `macro_f1`, and `recall_poor` and so on.
        confusion: Counts, rows true and columns predicted, as `schema.CLASSES`.
        calibrated: Of the calibrated probabilities.
        raw: Of the raw scores, divided by their sum.
        reliability: Per class, pairs of mean calibrated probability and observed share.
        slices: Per age band and occupation.
    """

    rows: int
    customers: int
    metrics: Mapping[str, Estimate]
    confusion: Sequence[Sequence[int]]
    calibrated: ProbabilityQuality
    raw: ProbabilityQuality
    reliability: Mapping[str, Sequence[tuple[float, float]]]
    slices: Sequence[Slice]


class AssessmentReport(Record):
    """A packaged model on the validation rows and on the holdout."""

    FILE: ClassVar[str] = ASSESSMENT_FILE
    REMEDY: ClassVar[str] = "materialize model_card for this base date"

    val: Assessment
    holdout: Assessment
