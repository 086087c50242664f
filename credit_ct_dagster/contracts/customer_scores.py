"""What was scored for a base date, and by which model."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import AwareDatetime

from credit_ct_dagster.contracts.drift import ColumnDrift
from credit_ct_dagster.contracts.files import SCORES_SUMMARY_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.splits import Quarantine


class TrainingShares(Part):
    """What scores are compared with.

    Attributes:
        labels: Rows per class among the model's training rows.
        drift: Of the predicted classes, from those of the training rows; None if nothing was
            scored.
    """

    labels: Mapping[str, int]
    drift: ColumnDrift | None


class CustomerScoresSummary(Record):
    """What was scored for a base date, and by which model.

    Attributes:
        base_dt: The base date.
        customers: Which feature rows were scored: those of the base date, or each customer's
            newest.
        model: The champion when the run began; it scored all rows.
        dagster_run_id: The run that scored.
        scored_at: When it began.
        rows: Scores that were written.
        classes: Rows per class.
        not_most_probable: Rows whose class is not the most probable one.
        flagged: Rows with a protected feature among their reasons; None without reasons.
        quarantine: The rows that were not scored.
        training: What the classes are compared with; None if that is not known any more.
        training_unknown: Why it is not known.
        seconds: How long reading, scoring and writing took.
    """

    FILE: ClassVar[str] = SCORES_SUMMARY_FILE
    REMEDY: ClassVar[str] = "materialize customer_scores for this base date"

    base_dt: str
    customers: str
    model: ModelIdentity
    dagster_run_id: str
    scored_at: AwareDatetime
    rows: int
    classes: Mapping[str, int]
    not_most_probable: int
    flagged: int | None
    quarantine: Quarantine
    training: TrainingShares | None
    training_unknown: str | None = None
    seconds: float
