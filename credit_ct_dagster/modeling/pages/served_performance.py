"""The page on served answers: what labels say of them, over prediction days and of the last one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import (
    EstimatedMetrics,
    EstimatedPerformance,
    HowFarOff,
    Metrics,
    ServedPerformance,
    TagEstimate,
    TagPerformance,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.day_charts import Line, Value, lines_svg
from credit_ct_dagster.modeling.pages.rendering import rendered

_TEMPLATE = "served_performance.html.j2"
_REAL, _ESTIMATED = 1, 2
"""The page's colours of what labels say, and of what is estimated."""


@dataclass(frozen=True)
class Chart:
    """A chart over prediction days.

    Attributes:
        id: Of its section.
        title: Of its section.
        svg: The picture.
        note: What it needs to be read.
    """

    id: str
    title: str
    svg: str
    note: str


@dataclass(frozen=True)
class PerformancePage:
    """What the page shows.

    Attributes:
        model_name: Whose answers.
        measured: What labels say, per prediction day; the page's own day is the last.
        estimated: What was estimated, per prediction day.
    """

    model_name: str
    measured: Sequence[ServedPerformance]
    estimated: Sequence[EstimatedPerformance]

    @property
    def day(self) -> ServedPerformance:
        """The page's own day."""
        return self.measured[-1]

    @property
    def estimate(self) -> EstimatedPerformance | None:
        """What was estimated of it."""
        return next((each for each in self.estimated if each.base_dt == self.day.base_dt), None)

    @property
    def headline(self) -> str:
        """What a person wants to know first."""
        models = self.day.models
        if not models:
            return "No answer was given on this day"
        if any(each.below for each in models):
            return "Below the bank’s minimum standards, beyond doubt"
        if not self.day.labelled:
            return "No label has come yet"
        if not any(each.metrics for each in models):
            return "Too few labels to say"
        if self._promises_too_much:
            return "Right less often than the probabilities promise, beyond chance"
        return "Not below the bank’s minimum standards, as far as labels tell"

    @property
    def is_good(self) -> bool:
        """Whether labels tell that nothing is wrong."""
        models = self.day.models
        return (
            any(each.metrics for each in models)
            and not any(each.below for each in models)
            and not self._promises_too_much
        )

    @property
    def _promises_too_much(self) -> bool:
        """Whether the estimate is above what labels say, further than in 1 of 600 days by chance.

        The interval of 95 %, half as long again, is one of 99.7 %.
        """
        offs = [each.how_far_off for each in self.estimate.models] if self.estimate else []
        found = [off.accuracy for off in offs if off]
        return any(each.value > 1.5 * (each.value - each.low) for each in found)

    @property
    def charts(self) -> list[Chart]:
        """Every figure over prediction days, of the model with most answers on each."""
        days, over = self._days(), _Over(self.measured, self.estimated)
        changed = over.changes(days)

        def drawn(
            lines: Sequence[Line],
            label: str,
            percent: bool = False,
            low: float | None = None,
            high: float | None = None,
        ) -> str:
            return lines_svg(
                days,
                lines,
                label=label,
                percent=percent,
                low=low,
                high=high,
                marks=changed,
                mark="another model",
            )

        def real(name: str, of: Callable[[Metrics], Value], color: int = _REAL) -> Line:
            return Line(name, [over.metric(day, of) for day in days], color)

        def estimated(of: Callable[[EstimatedMetrics], Value]) -> Line:
            return Line("estimated", [over.estimate(day, of) for day in days], _ESTIMATED)

        def off(name: str, of: Callable[[HowFarOff], Value], color: int) -> Line:
            return Line(name, [over.off(day, of) for day in days], color)

        return [
            Chart(
                "accuracy-over-days",
                "Accuracy",
                drawn(
                    [
                        real("by labels", lambda found: found.accuracy),
                        estimated(lambda found: found.accuracy),
                    ],
                    "Accuracy per prediction day, by labels and estimated",
                ),
                "By labels: of the answers that have one. Estimated: of all answers, by their"
                " probabilities. Where the two part, customers turn out otherwise than the model"
                " expects.",
            ),
            Chart(
                "macro-f1-over-days",
                "Macro-F1",
                drawn(
                    [
                        real("by labels", lambda found: found.macro_f1),
                        estimated(lambda found: found.macro_f1),
                    ],
                    "Macro-F1 per prediction day, by labels and estimated",
                ),
                "The mean of the classes’ F1, in which each class counts the same.",
            ),
            Chart(
                "recall-over-days",
                "Recall per class",
                drawn(
                    [
                        Line(name, [over.recall(day, name) for day in days], place)
                        for place, name in enumerate(schema.CLASSES)
                    ],
                    "Recall of each class per prediction day",
                ),
                "Of the answers whose label is the class, the share that is predicted to be in it.",
            ),
            Chart(
                "coverage-over-days",
                "Answers with a label",
                drawn(
                    [Line("share with a label, %", [over.coverage(day) for day in days], _REAL)],
                    "Share of the answers of each prediction day that have a label",
                    percent=True,
                    low=0.0,
                    high=1.0,
                ),
                "Labels come weeks later: the last month is never complete.",
            ),
            Chart(
                "log-loss-over-days",
                "Log-loss of the probabilities",
                drawn(
                    [real("log-loss, nats", lambda found: found.log_loss)],
                    "Log-loss per prediction day",
                ),
                "Lower is better. It rises before the accuracy falls, where probabilities no longer"
                " fit.",
            ),
            Chart(
                "ece-over-days",
                "Calibration error",
                drawn(
                    [
                        real("expected calibration error", lambda found: found.ece),
                        real("of a perfect model", lambda found: found.ece_by_chance, _ESTIMATED),
                    ],
                    "Expected calibration error per prediction day, and that of a perfect model",
                    low=0.0,
                ),
                "Even a perfect model has an error above 0 on few answers.",
            ),
            Chart(
                "off-over-days",
                "Estimated minus real",
                drawn(
                    [
                        off("accuracy", lambda found: found.accuracy, _REAL),
                        off("macro-F1", lambda found: found.macro_f1, _ESTIMATED),
                    ],
                    "Estimated minus real accuracy and macro-F1 per prediction day",
                ),
                "Of the same answers, those with a label. An interval without 0 is beyond chance:"
                " above 0, the probabilities promise too much.",
            ),
        ]

    def html(self) -> str:
        """The page, which needs no other file."""
        return rendered(_TEMPLATE, page=self, classes=schema.CLASSES)

    def _days(self) -> list[str]:
        """Every day from the first to the page's own, without gaps."""
        known = {each.base_dt for each in self.measured} | {e.base_dt for e in self.estimated}
        first, last = date.fromisoformat(min(known)), date.fromisoformat(self.day.base_dt)
        return [
            (first + timedelta(days=number)).isoformat()
            for number in range((last - first).days + 1)
        ]


class _Over:
    """Figures per prediction day, of the model with most answers; none where they are not known."""

    def __init__(
        self, measured: Sequence[ServedPerformance], estimated: Sequence[EstimatedPerformance]
    ) -> None:
        self._measured: Mapping[str, TagPerformance] = {
            each.base_dt: each.models[0] for each in measured if each.models
        }
        self._estimated: Mapping[str, TagEstimate] = {
            each.base_dt: each.models[0] for each in estimated if each.models
        }

    def metric(self, day: str, of: Callable[[Metrics], Value]) -> Value:
        found = self._measured.get(day)
        return of(found.metrics) if found and found.metrics else None

    def recall(self, day: str, name: str) -> Value:
        return self.metric(day, lambda found: found.recall.get(name))

    def coverage(self, day: str) -> Estimate | None:
        found = self._measured.get(day)
        return found.coverage if found else None

    def estimate(self, day: str, of: Callable[[EstimatedMetrics], Value]) -> Value:
        found = self._estimated.get(day)
        return of(found.answers) if found and found.answers else None

    def off(self, day: str, of: Callable[[HowFarOff], Value]) -> Value:
        found = self._estimated.get(day)
        return of(found.how_far_off) if found and found.how_far_off else None

    def changes(self, days: Sequence[str]) -> set[str]:
        """The days on which another model gave most answers than on the last day before."""
        found: set[str] = set()
        before: str | None = None
        for day in days:
            model = self._measured.get(day) or self._estimated.get(day)
            if model is None:
                continue
            if before is not None and model.model_tag != before:
                found.add(day)
            before = model.model_tag
        return found
