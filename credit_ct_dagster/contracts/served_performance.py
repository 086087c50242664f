"""How good the answers of a prediction day were, and how good they are estimated to be."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import AwareDatetime, Field

from credit_ct_dagster.contracts.decision import Estimate, Floor, FloorVerdict
from credit_ct_dagster.contracts.files import ESTIMATED_PERFORMANCE_FILE, SERVED_PERFORMANCE_FILE
from credit_ct_dagster.contracts.label_selection import Selection
from credit_ct_dagster.contracts.record import Part, Record


class Metrics(Part):
    """What labelled answers say about a model, each with a 95 % interval by customer.

    Attributes:
        accuracy: Share of right answers.
        macro_f1: Mean of the classes' F1.
        recall: Per class, the share that is found; None for a class without labels.
        log_loss: Of the probabilities, in nats.
        ece: Expected calibration error, 0 to 1.
        ece_by_chance: The mean error of a perfect model, whose probabilities are all true, on as
            many answers.
    """

    accuracy: Estimate
    macro_f1: Estimate
    recall: Mapping[str, Estimate | None]
    log_loss: Estimate
    ece: Estimate
    ece_by_chance: float


class SlicePerformance(Part):
    """How a model answered one group of customers.

    Attributes:
        kind: What the groups are made by, such as `age band`.
        name: The group.
        answers: In it.
        labelled: Of how many of them the label is known.
        labelled_customers: Of how many customers these are.
        metrics: None with too few customers.
    """

    kind: str
    name: str
    answers: int
    labelled: int
    labelled_customers: int
    metrics: Metrics | None = None


class TagPerformance(Part):
    """The answers of one model on one prediction day.

    Attributes:
        model_tag: Its package.
        answers: How many it gave.
        customers: To how many customers; an answer without a customer is one of its own.
        labelled: Of how many answers the label is known, and none that it may have learned from.
        labelled_customers: Of how many customers these are.
        coverage: The share of the answers with such a label.
        learned: Of how many answers the label does not count: it may have learned from it.
        learned_until: The newest base date that it was trained or calibrated on. Only later labels
            count. None if it is not known: then those dated after the prediction day count.
        sources: Answers per source, `request` or `batch`.
        predicted: Answers per predicted class.
        confusion: Labelled answers, rows true and columns predicted, as `schema.CLASSES`.
        metrics: Of the labelled answers; None with too few customers.
        as_all_answers: The accuracy, if the answers of each predicted class without label were
            right as often as those with one; None with too few customers.
        floors: The bank's minimum standards, on the labelled answers.
        slices: Per group of customers.
        selection: Per kind of group, whether labels are missing in some more often.
        sentence: What is known, for a person: coverage, accuracy, and who has no label yet.
    """

    model_tag: str
    answers: int
    customers: int
    labelled: int
    labelled_customers: int
    coverage: Estimate
    sources: Mapping[str, int]
    predicted: Mapping[str, int]
    confusion: Sequence[Sequence[int]]
    metrics: Metrics | None = None
    as_all_answers: Estimate | None = None
    floors: Sequence[Floor] = ()
    slices: Sequence[SlicePerformance] = ()
    selection: Sequence[Selection] = ()
    learned: int = 0
    learned_until: str | None = None
    sentence: str = ""

    @property
    def below(self) -> Sequence[Floor]:
        """The floors below which it lies beyond doubt."""
        return [each for each in self.floors if each.verdict == FloorVerdict.below]


class ServedPerformance(Record):
    """The answers of a prediction day, by the labels that have come since.

    Attributes:
        base_dt: The prediction day, in Asia/Seoul.
        known_at: The moment until which labels are known.
        label_days: How many days after its features a label may be dated.
        labels_until: The last day that a label of these answers may be dated on; labels may arrive
            later still.
        answers: Of all models.
        labelled: Of how many the label is known, and counts.
        learned: Of how many the label does not count: see `TagPerformance`.
        models: Per model that answered, that of most answers first.
        sentence: For a person.
        model_name: Whose answers; empty where an earlier release wrote it.
        min_customers: With a label of fewer customers, there are no figures.
    """

    FILE: ClassVar[str] = SERVED_PERFORMANCE_FILE
    REMEDY: ClassVar[str] = "materialize served_performance for this prediction day"

    base_dt: str
    known_at: AwareDatetime
    label_days: int
    labels_until: str
    answers: int
    labelled: int
    learned: int = 0
    models: Sequence[TagPerformance] = ()
    sentence: str = ""
    model_name: str = ""
    min_customers: int = 30

    @property
    def below(self) -> Iterator[tuple[str, Floor]]:
        """Each floor below which a model lies beyond doubt, with the tag of the model."""
        return ((each.model_tag, floor) for each in self.models for floor in each.below)

    def of(self, model_tag: str) -> TagPerformance | None:
        """The answers of a model; None if it gave none."""
        return next((each for each in self.models if each.model_tag == model_tag), None)


class EstimatedMetrics(Part):
    """What the probabilities of some answers say about their classes.

    Attributes:
        answers: How many.
        customers: Of how many customers.
        accuracy: The mean probability of the predicted class. The 95 % interval is that of the
            real accuracy of as many customers, if the probabilities are true.
        macro_f1: Of the expected confusion counts; its interval likewise.
    """

    answers: int
    customers: int
    accuracy: Estimate
    macro_f1: Estimate


class HowFarOff(Part):
    """The estimate of the answers whose label is known, compared with the labels.

    Attributes:
        answers: With a label.
        customers: Of how many customers.
        estimated_accuracy: By the probabilities.
        real_accuracy: By the labels.
        accuracy: Estimated minus real, with a 95 % interval by customer.
        estimated_macro_f1: By the probabilities.
        real_macro_f1: By the labels.
        macro_f1: Estimated minus real, with a 95 % interval by customer.
    """

    answers: int
    customers: int
    estimated_accuracy: float
    real_accuracy: float
    accuracy: Estimate
    estimated_macro_f1: float
    real_macro_f1: float
    macro_f1: Estimate


class OffRecord(Part):
    """How far off the estimates of a metric were on earlier days, once labels had come.

    Attributes:
        mean: Estimated minus real, each day weighing as much as its labelled answers: above 0, the
            estimates were too optimistic.
        mean_absolute: The same, whatever the sign.
        largest: The difference of the day that was furthest off, whatever the sign.
        beyond_chance: Days whose interval does not contain 0; of true probabilities, 1 of 20.
    """

    mean: float
    mean_absolute: float
    largest: float
    beyond_chance: int


class TrackRecord(Part):
    """How far off the estimates of earlier prediction days were.

    Attributes:
        model_tag: Whose estimates; None: too few days of this model have labels, so those of all
            models are counted.
        days: Prediction days with labelled answers.
        first: The first of them.
        last: The last of them.
        answers: Labelled answers of these days.
        accuracy: Of the estimated accuracy.
        macro_f1: Of the estimated macro-F1.
    """

    model_tag: str | None
    days: int
    first: str
    last: str
    answers: int
    accuracy: OffRecord
    macro_f1: OffRecord


class TagEstimate(Part):
    """What is estimated of the answers of one model on one prediction day.

    Attributes:
        model_tag: Its package.
        answers: Of all of its answers; None with too few customers.
        without_label: Of those whose label is not known; None with too few customers.
        how_far_off: Of those whose label is known, and counts; None with too few customers.
        record: Of the days before; None until labels have come.
        learned: Of how many answers the label does not count: see `TagPerformance`.
        learned_until: Likewise.
        sentence: For a person.
    """

    model_tag: str
    answers: EstimatedMetrics | None = None
    without_label: EstimatedMetrics | None = None
    how_far_off: HowFarOff | None = None
    record: TrackRecord | None = None
    learned: int = 0
    learned_until: str | None = None
    sentence: str = ""


class EstimatedPerformance(Record):
    """How good the answers of a prediction day are estimated to be, by their probabilities.

    Attributes:
        base_dt: The prediction day, in Asia/Seoul.
        known_at: The moment until which labels are known.
        answers: Of all models.
        without_label: Of how many the label is not known.
        learned: Of how many the label does not count: see `TagPerformance`.
        models: Per model that answered, that of most answers first.
        sentence: For a person.
        blind_to: What such an estimate cannot see, for a person.
        model_name: Whose answers; empty where an earlier release wrote it.
    """

    FILE: ClassVar[str] = ESTIMATED_PERFORMANCE_FILE
    REMEDY: ClassVar[str] = "materialize estimated_performance for this prediction day"

    base_dt: str
    known_at: AwareDatetime
    answers: int
    without_label: int
    learned: int = 0
    models: Sequence[TagEstimate] = Field(default=())
    sentence: str = ""
    blind_to: str = ""
    model_name: str = ""

    def of(self, model_tag: str) -> TagEstimate | None:
        """The estimate of a model; None if it gave no answer."""
        return next((each for each in self.models if each.model_tag == model_tag), None)
