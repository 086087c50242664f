"""The rules by which served features are compared with the feature store and with training."""

from collections.abc import Sequence

from pydantic import BaseModel, Field, field_validator

from credit_ct_dagster.contracts.serving_skew import Pattern

_NAMES = [each.name for each in Pattern]


class SkewRules(BaseModel):
    """How much disagreement is a fault, and what is drift of served rows."""

    max_disagreeing_share: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="A feature disagrees with the feature store if the share of its disagreeing"
        " values is larger by more than chance explains, above 0 and below 1. Single rows that are"
        " corrected between a request and the comparison are normal",
    )
    confidence: float = Field(
        default=0.99,
        gt=0.5,
        lt=1,
        description="Confidence that no feature is taken for a disagreeing one by chance, above 0.5"
        " and below 1, for all features of a day together; also of the intervals",
    )
    min_customers: int = Field(
        default=5,
        ge=1,
        description="Minimum customers with disagreeing values; with fewer, a feature never"
        " disagrees: one caller's odd values are not a fault of the feed",
    )
    tolerated: list[str] = Field(
        default_factory=list,
        description="Patterns that do not count against max_disagreeing_share, such as order where"
        f" the model counts what a text lists; of: {', '.join(_NAMES)}",
    )
    drift_significance: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="Served rows have drifted from training if the PSI says so and the probability"
        " of chance, for all features of a day together, is below this, above 0 and below 1. At"
        " 0.05, chance would report drift once in twenty days",
    )
    most_rows: int = Field(
        default=100_000,
        ge=1,
        description="Compares a sample of customers, the same ones every day, where more rows were"
        " served, 1 or more. 100,000 take seconds, and more would not make a share of 1 % surer",
    )

    @field_validator("tolerated")
    @classmethod
    def _known(cls, names: Sequence[str]) -> Sequence[str]:
        unknown = sorted(set(names) - set(_NAMES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not a pattern, of {', '.join(_NAMES)}")
        return names

    @property
    def tolerated_patterns(self) -> set[Pattern]:
        """The patterns that do not count."""
        return {Pattern[name] for name in self.tolerated}
