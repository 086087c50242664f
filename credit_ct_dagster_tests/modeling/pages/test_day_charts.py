"""Charts over days: every value at its place, and none where nothing is known."""

import re
from xml.etree import ElementTree

import pytest

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.modeling.pages.day_charts import Line, columns_svg, lines_svg

_DAYS = [f"2025-01-{number:02}" for number in range(1, 11)]


def _heights(svg: str, css: str) -> list[float]:
    return [float(each.attrib["height"]) for each in ElementTree.fromstring(svg) if _is(each, css)]


def _is(element: ElementTree.Element, css: str) -> bool:
    return element.tag == "rect" and element.attrib.get("class") == css


def test_values_have_points_intervals_and_gaps() -> None:
    """A line is joined only where no day is missing."""
    estimate = Estimate(value=0.7, low=0.6, high=0.8)
    values = [0.7, estimate, None, 0.7, float("nan"), *[0.7] * 5]
    svg = lines_svg(_DAYS, [Line("accuracy", values)], label="Accuracy", percent=True)
    assert svg.count("<circle") == 8
    assert svg.count("<polyline") == 2
    [whisker] = re.findall(r'<line class="whisker curve-0" x1="([\d.]+)" y1="([\d.]+)".*?/>', svg)
    circles = re.findall(r'<circle class="curve-0" cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert whisker[0] == circles[1][0]
    assert {y for _, y in circles} == {circles[0][1]}
    assert float(whisker[1]) > float(circles[1][1])


def test_the_axis_is_in_percent_and_names_first_middle_and_last_day() -> None:
    """Within the picture, which is as wide as a phone."""
    svg = lines_svg(_DAYS, [Line("share", [0.5] * 10)], label="x", percent=True, low=0, high=1)
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert texts[:6] == ["0", "20", "40", "60", "80", "100"]
    assert texts[6:] == ["01-01", "01-05", "01-10", "● share"]
    assert 'viewBox="0 0 360 ' in svg
    assert max(float(x) for x in re.findall(r'<text x="([\d.]+)"', svg)) <= 352


def test_columns_are_stacked_to_their_sums() -> None:
    """The heights are as the values; a day without any has no column."""
    svg = columns_svg(_DAYS[:3], {"a": [30, None, 10], "b": [10, None, 30]}, label="x")
    first, second = _heights(svg, "curve-0"), _heights(svg, "curve-1")
    assert first == pytest.approx([3 * second[0], second[0]])
    assert second[1] == pytest.approx(first[0])
    assert first[0] + second[0] == pytest.approx(first[1] + second[1])


def test_large_numbers_fit_beside_the_axis() -> None:
    """Thousands and millions are shortened."""
    texts = re.findall(
        r"<text[^>]*>([^<]+)</text>", columns_svg(_DAYS, {"a": [1e6] * 10}, label="x")
    )
    assert texts[:3] == ["0", "200k", "400k"]
    assert "1M" in texts


@pytest.mark.parametrize("days", [[], _DAYS[:1]])
def test_no_day_and_a_single_day_are_drawn(days: list[str]) -> None:
    """As on the first day of all."""
    values = [None] * len(days)
    for svg in (
        lines_svg(days, [Line("a", values)], label="x"),
        columns_svg(days, {"a": values}, label="x"),
        lines_svg(days, [Line("a", [0.5] * len(days))], label="x"),
    ):
        assert ElementTree.fromstring(svg).tag == "svg"


def test_names_are_escaped() -> None:
    """In the legend and in what is read aloud."""
    svg = lines_svg(_DAYS, [Line("<b>", [1.0] * 10)], label='"<x>')
    assert ElementTree.fromstring(svg).attrib["aria-label"] == '"<x>'
    assert "<b>" not in svg


def test_lines_are_told_apart_without_colour() -> None:
    """By their markers, which the legend names; the page's style dashes them as well."""
    lines = [Line(name, [1.0, 2.0] * 5) for name in ("first", "second", "third")]
    svg = lines_svg(_DAYS, lines, label="x")
    shapes = [(each.tag, each.get("class")) for each in ElementTree.fromstring(svg)]
    assert shapes.count(("circle", "curve-0")) == len(_DAYS)
    assert (
        shapes.count(("polygon", "curve-1")) == shapes.count(("polygon", "curve-2")) == len(_DAYS)
    )
    assert all(name in svg for name in ("● first", "■ second", "▲ third"))
