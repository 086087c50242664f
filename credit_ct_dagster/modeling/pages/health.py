"""The page of a prediction day: how the champion does, in sentences first, and in plots below."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.health import (
    AnswerVolume,
    DayFigures,
    HealthRecord,
    HealthSentence,
    Severity,
)
from credit_ct_dagster.errors.base import runbook_section
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.day_charts import Line, columns_svg, lines_svg
from credit_ct_dagster.modeling.pages.rendering import rendered
from credit_ct_dagster.modeling.watching.answer_health import NAMES
from credit_ct_dagster.modeling.watching.columns import BATCH, REQUEST

_TEMPLATE = "health.html.j2"
_VERDICTS = {
    Severity.critical: "Somebody has to act now",
    Severity.warning: "Somebody has to look at it today",
    Severity.notice: "Healthy",
    Severity.ok: "Healthy",
}
_FEATURES = 12
_CHANGED = "another package answered"


@dataclass(frozen=True)
class HealthPage:
    """What the page shows.

    Attributes:
        record: Of the prediction day.
        run_url: Where a person sees the run that made it.
        asset_url: Where a person sees the asset in Dagster.
        performance_url: The page on performance; None if it cannot be reached from this one.
        newest: The newest record there is: labels of this day may have arrived since its own was
            made.
        newest_url: The page of that record.
    """

    record: HealthRecord
    run_url: str
    asset_url: str
    performance_url: str | None = None
    newest: HealthRecord | None = None
    newest_url: str = ""

    def html(self) -> str:
        """The page, which needs no other file and no script."""
        return rendered(
            _TEMPLATE,
            page=self,
            record=self.record,
            classes=schema.CLASSES,
        )

    @property
    def verdict(self) -> str:
        """The record in a few words."""
        return _VERDICTS[self.record.worst]

    @property
    def counts(self) -> str:
        """How many sentences there are of each severity that calls for somebody."""
        counted = Counter(each.severity for each in self.record.sentences)
        found = []
        if counted[Severity.critical]:
            found.append(f"{counted[Severity.critical]} critical")
        if counted[Severity.warning]:
            plural = "s" if counted[Severity.warning] > 1 else ""
            found.append(f"{counted[Severity.warning]} warning{plural}")
        return ", ".join(found) or "nothing to do"

    def reference(self, sentence: HealthSentence) -> dict[str, Any] | None:
        """The code of a sentence, and where it is explained; None without a code.

        A relative place, as in a repository, leads nowhere from this page.
        """
        if sentence.code is None:
            return None
        place = runbook_section(sentence.code)
        return {"code": sentence.code, "place": place, "is_url": place.startswith("http")}

    @property
    def since(self) -> str | None:
        """What a newer record knows of the day by now, in sentences; None if it knows nothing."""
        newer = self.newest if self.newest and self.newest.made_at > self.record.made_at else None
        days = newer.days if newer else ()
        found = next((each for each in days if each.day == self.record.base_dt), None)
        if found is None or found.answers is None or found.labelled is None:
            return None
        text = f"{found.labelled:,} of {found.answers:,} answers have a label"
        text += f" ({found.coverage:.1%})." if found.coverage is not None else "."
        if found.accuracy and found.macro_f1:
            packages = {each.model_tag for each in found.volumes}
            of = f" of {_main_tag(found)}" if len(packages) > 1 else ""
            text += f" Accuracy{of} {_ranged(found.accuracy)}, macro-F1 {_ranged(found.macro_f1)}."
        elif found.labelled:
            text += " They are of too few customers to say how right the answers were."
        if found.accuracy and found.estimated_accuracy:
            promised = _ranged(found.estimated_accuracy)
            text += f" By the probabilities of all, the accuracy would be {promised}."
        return text

    @property
    def days(self) -> list[str]:
        """Of the plots."""
        return [each.day for each in self.record.days]

    @property
    def volume(self) -> str:
        """Answers per day and source."""
        stacked = {
            name: [float(day.rows(source)) for day in self.record.days]
            for source, name in NAMES.items()
            if any(day.rows(source) for day in self.record.days)
        }
        colors = {NAMES[REQUEST]: 1, NAMES[BATCH]: 2}
        return columns_svg(self.days, stacked, label="Answers per day", colors=colors)

    @property
    def latency(self) -> str | None:
        """Quantiles of the latency per day; None without answers over HTTP."""
        found = [_latency_of(day) for day in self.record.days]
        if not any(each and each.latency for each in found):
            return None

        def values(of: Callable[[Any], float]) -> list[float | None]:
            return [of(each.latency) if each and each.latency else None for each in found]

        lines = [
            Line("99 %", values(lambda latency: latency.p99), 0),
            Line("95 %", values(lambda latency: latency.p95), 1),
            Line("half", values(lambda latency: latency.p50), 2),
        ]
        return lines_svg(
            self.days, lines, label="Milliseconds within which answers were given", low=0.0
        )

    def shares(self, source: str) -> str | None:
        """Shares of classes per day; None if a source gave no answer."""
        rows = [day.rows(source) for day in self.record.days]
        if not any(rows):
            return None
        stacked: dict[str, Sequence[float | None]] = {
            name: [
                sum(each.classes.get(name, 0) for each in day.volumes if each.source == source)
                / number
                if number
                else None
                for day, number in zip(self.record.days, rows, strict=True)
            ]
            for name in schema.CLASSES
        }
        label = f"Share of each class, answers {NAMES[source]}"
        return columns_svg(self.days, stacked, label=label, percent=True)

    @property
    def class_plots(self) -> list[tuple[str, str]]:
        """Per source with answers, its name and shares of classes."""
        found = [(name, self.shares(source)) for source, name in NAMES.items()]
        return [(name, plot) for name, plot in found if plot]

    @property
    def coverage(self) -> str | None:
        """Share of answers with a label per day; None if that was never measured."""
        values = [each.coverage for each in self.record.days]
        if not any(each is not None for each in values):
            return None
        line = Line("answers with a label", values, 1)
        return lines_svg(
            self.days, [line], label="Share of answers with a label", percent=True, low=0, high=1
        )

    @property
    def accuracy(self) -> str | None:
        """Estimated and real accuracy per day; None if there is neither."""
        real = [each.accuracy for each in self.record.days]
        estimated = [each.estimated_accuracy for each in self.record.days]
        if not any([*real, *estimated]):
            return None
        return lines_svg(
            self.days,
            [Line("estimated by probabilities", estimated, 1), Line("by labels", real, 0)],
            label="Accuracy with 95 % intervals, estimated and by labels",
            percent=True,
            marks=self.changed_days,
            mark=_CHANGED,
        )

    @property
    def macro_f1(self) -> str | None:
        """Real macro-F1 per day; None without labels."""
        values = [each.macro_f1 for each in self.record.days]
        if not any(values):
            return None
        return lines_svg(
            self.days,
            [Line("macro-F1 by labels", values, 0)],
            label="Macro-F1 with 95 % intervals",
            percent=True,
            marks=self.changed_days,
            mark=_CHANGED,
        )

    @property
    def changed_days(self) -> list[str]:
        """Days on which another package gave the most answers than before."""
        main = [(day.day, _main_tag(day)) for day in self.record.days]
        known = [(day, tag) for day, tag in main if tag]
        return [day for (_, before), (day, tag) in pairwise(known) if tag != before]

    @property
    def disagreeing(self) -> dict[str, float]:
        """Percent of disagreeing values per feature that has any, the highest first."""
        shares = self.record.today.disagreeing or {}
        ranked = sorted(shares.items(), key=lambda each: -each[1])
        return {name: 100 * share for name, share in ranked[:_FEATURES] if share}


def _ranged(of: Estimate) -> str:
    return f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f})"


def _latency_of(day: DayFigures) -> AnswerVolume | None:
    found = [each for each in day.volumes if each.source == REQUEST and each.latency]
    return max(found, key=lambda each: each.rows, default=None)


def _main_tag(day: DayFigures) -> str | None:
    rows = Counter[str]()
    for each in day.volumes:
        rows[each.model_tag] += each.rows
    return rows.most_common(1)[0][0] if rows else None
