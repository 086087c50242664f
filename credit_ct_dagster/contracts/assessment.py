"""How good a model is on rows that it has not learned from."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.fairness import Fairness
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
    """How a model does in one group, in what earlier releases wrote: see `Fairness.groups`.

    Attributes:
        kind: What the groups are made by, such as `age band`.
        name: The group.
        rows: In it.
        accuracy: Share of right predictions.
        favourable: Share that is predicted "Good".
        disparate_impact: That share, divided by the highest of its kind among groups with enough
            rows.
    """

    kind: str
    name: str
    rows: int
    accuracy: float
    favourable: float
    disparate_impact: float | None = None


class Monotonicity(Part):
    """How often a model's class gets better where, by the bank's judgement, risk rises.

    Attributes:
        feature: The only one that is changed, all others of a row staying as they are.
        risk: `rises` or `falls` with the feature.
        rows: On how many it was tried.
        values: How many values of the feature were tried on each.
        better: Share of the rows whose class gets better from one value to the next one of more
            risk, at least once.
        between: The same share, if only values between the 5 % and the 95 % quantile are tried.
    """

    feature: str
    risk: str
    rows: int
    values: int
    better: float
    between: float


class ReasonStability(Part):
    """How much the reasons of this model and the champion before have in common.

    Attributes:
        base_dt: The base date of the champion before.
        rows: Rows for which both give reasons for the same class.
        shared: Share of their reasons, at most four each, that both give; with a 95 % interval
            from a bootstrap over customers. None without such a row.
        same_first: Share of the rows where both give the same strongest reason.
    """

    base_dt: str
    rows: int
    shared: Estimate | None = None
    same_first: float | None = None


class RuleMetrics(Part):
    """What a way to choose the class reaches.

    Attributes:
        accuracy: Share of right predictions.
        macro_f1: Mean of the classes' F1.
        recall: Per class, the share that is found; None for a class without rows.
        predicted: Per class, the rows that are predicted to be in it.
        expected_cost: Mean cost of a prediction; None unless costs are declared.
    """

    accuracy: float
    macro_f1: float
    recall: Mapping[str, float | None]
    predicted: Mapping[str, int]
    expected_cost: float | None = None


class RuleEffect(Part):
    """What the class rule of a package changes, against the highest raw score on the same rows.

    Attributes:
        rule: Of the package.
        rows: How many.
        changed: Of how many the class is another one.
        highest_score: What the classes of the highest raw score reach.
        package: What those of the package reach.
        moved: Rows per class by the highest score (rows) and by the package (columns), both as
            `schema.CLASSES`.
    """

    rule: str
    rows: int
    changed: int
    highest_score: RuleMetrics
    package: RuleMetrics
    moved: Sequence[Sequence[int]]


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
        slices: Per age band and occupation, in what earlier releases wrote; what replaces them is
            `AssessmentReport.fairness`.
        perfect_ece: The mean expected calibration error of a model whose calibrated probabilities
            are true, on as many rows with the same probabilities, and the range of 95 % of its
            draws; None in what earlier releases wrote.
        rule: What the class rule of the package changed; None in what earlier releases wrote.
    """

    rows: int
    customers: int
    metrics: Mapping[str, Estimate]
    confusion: Sequence[Sequence[int]]
    calibrated: ProbabilityQuality
    raw: ProbabilityQuality
    reliability: Mapping[str, Sequence[tuple[float, float]]]
    slices: Sequence[Slice] = ()
    perfect_ece: Estimate | None = None
    rule: RuleEffect | None = None


class AssessmentReport(Record):
    """A packaged model on the validation rows and on the holdout.

    Attributes:
        val: On the validation rows.
        holdout: On the holdout of its base date.
        monotonicity: Per feature with a declared direction, on the holdout.
        reasons: How much they have in common with those of the champion before, on the holdout;
            None when there was none.
        reasons_not_compared: Why not, although there was one.
        fairness: How it treats groups of customers, on the pooled holdouts of its decision; None
            in what earlier releases wrote.
    """

    FILE: ClassVar[str] = ASSESSMENT_FILE
    REMEDY: ClassVar[str] = "materialize model_card for this base date"

    val: Assessment
    holdout: Assessment
    monotonicity: Sequence[Monotonicity] = []
    reasons: ReasonStability | None = None
    reasons_not_compared: str | None = None
    fairness: Fairness | None = None
