"""The page on served answers: every figure in words that stay true when something is not known."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    ServedPerformance,
)
from credit_ct_dagster.modeling.pages.served_performance import PerformancePage
from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import (
    EstimationRules,
    PerformanceRules,
)
from credit_ct_dagster_tests.served_rows import TAG, answers

_DAYS = ["2025-03-07", "2025-03-08", "2025-03-10"]
_NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)


def _measured(day: str, frame: pd.DataFrame) -> ServedPerformance:
    return served_performance(day, frame, PerformanceRules(draws=100), _NOW)


def _estimated(
    day: str, frame: pd.DataFrame, earlier: list[EstimatedPerformance]
) -> EstimatedPerformance:
    rules = EstimationRules(draws=100, min_record_days=1)
    return estimated_performance(day, frame, rules, _NOW, earlier)


def _page(*frames: pd.DataFrame) -> PerformancePage:
    """A page over as many days as there are frames, the last days of `_DAYS`."""
    days = _DAYS[-len(frames) :]
    estimated: list[EstimatedPerformance] = []
    for day, frame in zip(days, frames, strict=True):
        estimated.append(_estimated(day, frame, estimated))
    measured = [_measured(day, frame) for day, frame in zip(days, frames, strict=True)]
    return PerformancePage("m", measured, estimated)


@pytest.fixture(scope="module")
def page() -> PerformancePage:
    """Three days, one day missing; another model answers on the last."""
    return _page(
        answers(200),
        answers(200, seed=1, labelled=0.9),
        answers(300, seed=2, labelled=0.5, model_tag="m:second"),
    )


def _section(page: PerformancePage, name: str) -> str:
    """A section of the page as a person reads it."""
    [found] = re.findall(rf'<section id="{name}".*?</section>', page.html(), flags=re.DOTALL)
    return _read(found)


def _read(markup: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", markup).split()))


def test_the_page_needs_nothing_else(page: PerformancePage) -> None:
    """It loads no file and runs no script; no section is there twice."""
    made = page.html()
    assert "src=" not in made
    assert "<script" not in made
    ids = re.findall(r'<section id="([\w-]+)"', made)
    assert len(ids) == len(set(ids)) == 7 + 5 + 1


def test_days_without_answers_are_gaps(page: PerformancePage) -> None:
    """A line is not drawn through a day on which nothing was measured; the days are in order."""
    chart = page.charts[0].svg
    assert [each in chart for each in ("03-07", "03-08", "03-10")] == [True, True, True]
    lines = re.findall(r"<polyline[^>]* points=\"([^\"]+)\"", chart)
    assert [len(points.split()) for points in lines] == [2, 2]
    assert len(re.findall("<circle|<polygon", chart)) == 6
    assert "another model" in chart


def test_estimates_stand_beside_what_labels_say(page: PerformancePage) -> None:
    """Per metric: of labelled answers, of the others, and by how much the estimate is off."""
    read = _section(page, "metrics-1")
    metrics = page.day.models[0].metrics
    estimate = page.estimate
    assert metrics is not None
    assert estimate is not None
    unknown, off = estimate.models[0].without_label, estimate.models[0].how_far_off
    assert unknown is not None
    assert off is not None
    assert f"accuracy {metrics.accuracy.value:.3f} {metrics.accuracy.low:.3f}" in read
    assert f" {unknown.accuracy.value:.3f} {unknown.accuracy.low:.3f}" in read
    assert f"{off.accuracy.value:+.3f} {off.accuracy.low:+.3f} to" in read
    assert "that of an estimate is where the real figure would lie" in read


def test_selection_and_blindness_are_said(page: PerformancePage) -> None:
    """Who has no label yet, how far off estimates were, and what they cannot see."""
    assert "Figures are of customers who have one" in _section(page, "labels-1")
    estimates = _section(page, "estimates")
    assert re.search(r"all models accuracy 2 [+-]0\.\d{3} 0\.\d{3} [+-]0\.\d{3} \d", estimates)
    assert "cannot see that the same customers turn out otherwise" in estimates


@pytest.mark.parametrize(
    ("frame", "headline", "is_good"),
    [
        (answers(4).iloc[:0], "No answer was given on this day", False),
        (answers(100, labelled=0.0), "No label has come yet", False),
        (answers(20), "Too few labels to say", False),
        (answers(600, concept=0.95), "Below the bank’s minimum standards, beyond doubt", False),
        (
            answers(900, concept=0.3),
            "Right less often than the probabilities promise, beyond chance",
            False,
        ),
        (answers(600), "Not below the bank’s minimum standards, as far as labels tell", True),
    ],
)
def test_the_headline_claims_no_more_than_is_known(
    frame: pd.DataFrame, headline: str, is_good: bool
) -> None:
    """Whatever is missing, the page is made, and its first words are true."""
    made = _page(frame)
    assert (made.headline, made.is_good) == (headline, is_good)
    assert headline in _read(made.html())


def test_without_figures_the_page_says_why() -> None:
    """Labels of too few customers, and no record before labels have come."""
    made = _page(answers(20))
    assert "Figures need labels of 30 customers; there are labels of 10." in _section(
        made, "metrics-1"
    )
    assert "Not known before labels have come." in _section(made, "estimates")
    without = PerformancePage("m", made.measured, ())
    assert "Not known before labels have come." in _section(without, "estimates")
    assert "Not measured" in _section(_page(answers(100, labelled=0.0)), "floors-1")


def test_values_are_escaped() -> None:
    """What comes from the bank's rows cannot become a part of the page."""
    values: dict[str, Any] = {"occupation": "<script>alert(1)</script>"}
    made = _page(answers(100).assign(**values)).html()
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_every_model_of_a_day_has_its_sections() -> None:
    """On the day of a promotion, two models answer."""
    frames = [answers(120, model_tag=tag) for tag in (TAG, "m:second")]
    made = _page(pd.concat(frames, ignore_index=True))
    for number, tag in enumerate(sorted([TAG, "m:second"]), start=1):
        assert _section(made, f"metrics-{number}").startswith(f"Metrics {tag}")
