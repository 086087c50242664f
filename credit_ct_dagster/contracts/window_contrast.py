"""Whether the newest evidence on two models agrees with the older."""

from credit_ct_dagster.contracts.record import Part
from credit_ct_dagster.rounding import signed


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
        newest, older = signed(self.newest, self.older), signed(self.older, self.newest)
        return (
            f"The windows contradict each other: better by {newest} in the newest, by {older} in"
            f" those before it (they differ by {signed(self.newest - self.older)},"
            f" {100 * self.confidence:g}% interval {signed(self.low)} to {signed(self.high)};"
            f" pooled, it would be {signed(self.pooled)}). Only the newest decides."
        )
