"""Whether the newest evidence on two models agrees with the older."""

from credit_ct_dagster.contracts.record import Part


class WindowContrast(Part):
    """How much better a challenger is by the newest window, and by those before it.

    Attributes:
        newest: By the newest rows; below 0 when it is worse.
        older: By all older rows together.
        pooled: By all rows together.
        low: Lower end of the interval of `newest - older`.
        high: Its upper end.
        confidence: Its level.
    """

    newest: float
    older: float
    pooled: float
    low: float
    high: float
    confidence: float

    @property
    def contradict(self) -> bool:
        """Whether they differ by more than chance, so that only the newest may decide."""
        return self.low > 0 or self.high < 0

    @property
    def sentence(self) -> str:
        """That they contradict each other, and which decides; empty if they do not."""
        if not self.contradict:
            return ""
        apart = self.newest - self.older
        return (
            f"The windows contradict each other: better by {self.newest:+.4f} in the newest, by"
            f" {self.older:+.4f} in those before it (they differ by {apart:+.4f},"
            f" {100 * self.confidence:g}% interval {self.low:+.4f} to {self.high:+.4f}; pooled, it"
            f" would be {self.pooled:+.4f}). Only the newest decides."
        )
