"""How far the features of the requests of a day are from the feature store, and from training."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.drift import ColumnDrift, Verdict
from credit_ct_dagster.contracts.files import SERVING_SKEW_FILE
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.rounding import told_apart


class Pattern(StrEnum):
    """In what way a value that was served disagrees with the one in the feature store."""

    number_as_text = "a number as text"
    other_type = "text where a number belongs, or the reverse"
    missing_as_word = "a word such as NULL in place of a missing value"
    missing_when_served = "missing as served, a value in the store"
    missing_in_store = "a value as served, missing in the store"
    one_value = "one and the same value, whatever the store has"
    stale = "the value of an older row of the same customer"
    unit = "another unit"
    shift = "a constant difference"
    rounding = "rounded to few digits"
    another_feature = "the values of another feature"
    spelling = "letter case, blanks or punctuation"
    order = "another order of what is listed"
    coding = "other words or codes for the same things"
    cut_off = "text that is cut off"
    other = "other"


class Agreement(StrEnum):
    """How the share of disagreeing values of a feature compares with the limit."""

    agrees = "within the limit"
    uncertain = "too few rows to say"
    disagrees = "above the limit beyond doubt"


class PatternFound(Part):
    """A way in which values of a feature disagree.

    Attributes:
        kind: Which one.
        rows: Disagreeing values of this kind.
        share: Of the disagreeing values of the feature, above 0 to 1.
        detail: What was found from the data: the factor of a unit (`/ 12`, `* 1,000`), the constant
            difference (`+ 1`), what the last digit is worth (`to 10`), which older row (`2 rows
            before`), or the other feature; empty where there is nothing to add. Never the value of
            a customer.
        factor: Of a unit: the served value, divided by the one in the store; of a constant
            difference: the difference.
    """

    kind: Pattern
    rows: int
    share: float
    detail: str = ""
    factor: float | None = None

    @property
    def words(self) -> str:
        """For a sentence: `another unit (/ 12)`."""
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


class FeatureSkew(Part):
    """How the served values of one feature compare with those in the feature store.

    Attributes:
        feature: Its name.
        rows: Pairs of values that were compared; both are missing in some of them.
        disagreeing: Of how many the two disagree.
        share: Of the pairs that disagree, with an interval at the confidence of the report.
        rounded: Pairs that agree but for rounding or single precision, which is no disagreement.
        tolerated: Disagreeing pairs of a pattern that the configuration tolerates; they are part of
            `disagreeing`, and do not count against the limit.
        customers: Of how many customers values disagree, without those that are tolerated.
        p_value: Probability of as many disagreeing values, or more, if the share were at the limit;
            adjusted for all features of the report.
        verdict: Whether the share is above the limit by more than chance.
        patterns: The most frequent one first; empty if all agree.
    """

    feature: str
    rows: int
    disagreeing: int
    share: Estimate
    rounded: int = 0
    tolerated: int = 0
    customers: int
    p_value: float
    verdict: Agreement
    patterns: Sequence[PatternFound] = ()

    def sentence(self, *limits: float) -> str:
        """Which share disagrees and in what way, for a person.

        Args:
            limits: What it is compared with.
        """
        share, low = (told_apart(".1%", of, *limits) for of in (self.share.value, self.share.low))
        said = (
            f"{self.feature}: {share} of {self.rows:,} values disagree"
            f" ({low} to {self.share.high:.1%})"
        )
        if not self.patterns:
            return said
        named = [
            each.words if each.share > _ALL else f"{each.words}, {each.share:.0%} of them"
            for each in self.patterns[:_NAMED]
        ]
        return f"{said}: {'; '.join(named)}"


_NAMED = 2
_ALL = 0.995


class ServedDrift(Part):
    """How far the rows of one source have moved away from the champion's training rows.

    Attributes:
        rows: The newest one of each customer; each row of an unknown customer.
        columns: Every feature, the one that moved most first; empty without rows.
        significance: A feature counts as drifted if its PSI is at least `drift.SOME`, and its
            adjusted p-value is below this; that of a report on training, 0.05, would be exceeded by
            chance once in twenty days.
    """

    rows: int
    columns: Sequence[ColumnDrift] = ()
    significance: float

    @property
    def drifted(self) -> list[ColumnDrift]:
        """The features that have drifted, at the significance of a day that is one of many."""
        return [each for each in self.columns if self._has_drifted(each)]

    def _has_drifted(self, drift: ColumnDrift) -> bool:
        tested = [(drift.psi, drift.p_value)]
        if drift.missing:
            tested.append((drift.missing.psi, drift.missing.p_value))
        return any(
            Verdict.of(psi, p_value).is_drift
            and p_value is not None
            and p_value < self.significance
            for psi, p_value in tested
        )


class ServingSkew(Record):
    """How far the features that were served on a day are from the feature store, and from training.

    Attributes:
        base_dt: The prediction day, in Asia/Seoul.
        limit: Share of disagreeing values up to which a feature agrees, 0 to 1.
        confidence: Of the intervals and of the verdicts on all features together.
        requests: Of the day, by all models.
        without_customer: How many of them name no customer, so that nothing can be compared.
        not_in_store: How many of those that were looked at are of a customer who has no row in the
            feature store in the month before.
        not_known_then: Of how many the feature store has only rows that came after the answer, or
            one whose values have changed since, by the ledger of arrivals.
        compared: How many were compared with the feature store: the others, or a sample of them.
        customers: Of how many customers these are.
        features: Every feature that was compared, the one that disagrees most first.
        drift: Per source (`request`, `batch`), from the champion's training rows; empty if nothing
            was served or it was not computed.
        trained_on: The base date of the champion whose training rows they are.
        drift_not_computed: Why not, although rows were served.
    """

    FILE: ClassVar[str] = SERVING_SKEW_FILE
    REMEDY: ClassVar[str] = "materialize serving_skew for this base date"

    base_dt: str
    limit: float
    confidence: float
    requests: int
    without_customer: int = 0
    not_in_store: int = 0
    not_known_then: int = 0
    compared: int = 0
    customers: int = 0
    features: Sequence[FeatureSkew] = ()
    drift: Mapping[str, ServedDrift] = {}
    trained_on: str = ""
    drift_not_computed: str | None = None

    @property
    def skewed(self) -> list[FeatureSkew]:
        """The features whose share of disagreeing values is above the limit beyond doubt."""
        return [each for each in self.features if each.verdict == Agreement.disagrees]

    @property
    def uncertain(self) -> list[FeatureSkew]:
        """The features that disagree in so few rows that it says nothing."""
        return [each for each in self.features if each.verdict == Agreement.uncertain]

    @property
    def drifted(self) -> dict[str, list[ColumnDrift]]:
        """Per source, the features that have drifted; only sources that have any."""
        found = {source: each.drifted for source, each in self.drift.items()}
        return {source: columns for source, columns in found.items() if columns}

    @property
    def sentence(self) -> str:
        """What was found on the skew, for a person."""
        if not self.compared:
            return self._why_nothing
        if self.skewed:
            named = ". ".join(each.sentence(self.limit) for each in self.skewed)
            said = (
                f"features of {self.compared:,} requests of {self.customers:,} customers disagree"
                f" with the feature store in more than {self.limit:.1%} of the values. {named}."
            )
        else:
            highest = max((each.share.value for each in self.features), default=0.0)
            said = (
                f"{len(self.features)} features of {self.compared:,} requests of"
                f" {self.customers:,} customers were compared with the feature store: at most"
                f" {highest:.2%} of the values of one disagree."
            )
        if self.uncertain:
            named = ", ".join(each.feature for each in self.uncertain)
            said += f" Too few rows to say whether these disagree: {named}."
        if self.not_known_then:
            said += (
                f" {self.not_known_then:,} more were not compared: their rows came, or were"
                " changed, after the answer."
            )
        return said

    @property
    def _why_nothing(self) -> str:
        if not self.requests:
            return "no request was answered on this day."
        if self.requests == self.without_customer:
            return (
                f"none of {self.requests:,} requests names a customer, so that none could be"
                " compared with the feature store. Callers may send customer_id with the features."
            )
        if self.not_known_then:
            return (
                f"none of {self.requests:,} requests could be compared with the feature store: of"
                f" {self.not_known_then:,}, the customer's row came, or was changed, after the"
                " answer; the others name no customer, or one without a row in the month before."
            )
        return (
            f"none of {self.requests:,} requests is of a customer who has a row in the feature"
            " store in the month before: nothing could be compared."
        )
