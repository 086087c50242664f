"""Small charts over days, as SVG inside of a page, which gives them its colours.

They are 360 units wide, about as wide as a phone: there their letters are as large as the text's.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isnan

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.modeling.pages.chart import SYMBOLS, Axis, Panel, marker, text

_WIDTH, _HEIGHT = 360, 130
_LEFT, _TOP, _RIGHT = 48, 10, 10
_COLORS = len(SYMBOLS)
_LETTER = 7.0
"""About the width of a letter, in units."""
_ROW = 18
_APART = 2.4
"""Between the intervals of two lines on the same day, in units."""

Value = Estimate | float | None
"""Of a day: with an interval, without one, or none."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: What it shows.
        values: Per day.
        color: Which of the page's colours, from 0. [default: by its place]
    """

    name: str
    values: Sequence[Value]
    color: int | None = None


def lines_svg(
    days: Sequence[str],
    lines: Sequence[Line],
    *,
    label: str,
    percent: bool = False,
    low: float | None = None,
    high: float | None = None,
    marks: Collection[str] = (),
    mark: str = "",
) -> str:
    """Draw values over days: points, joined where no day is missing, with their intervals.

    Args:
        days: As `YYYY-MM-DD`, in order.
        lines: With a value, or none, for each day.
        label: What the chart shows, for whoever cannot see it.
        percent: Whether values are shares, which the axis shows in percent.
        low: Where the axis begins. [default: below the lowest value]
        high: Where it ends. [default: above the highest value]
        marks: Days at which something happened.
        mark: What happened there.
    """
    factor = 100 if percent else 1
    drawn = [
        (line.color if line.color is not None else place, line.name, _scaled(line, factor))
        for place, line in enumerate(lines)
    ]
    ends = [end for _, _, values in drawn for each in values if each for end in each]
    around = Axis.around(ends, _HEIGHT)
    panel = Panel(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT)
    up = Axis(
        around.low if low is None else low * factor,
        around.high if high is None else high * factor,
        _HEIGHT,
    )
    centres = _centres(panel, len(days))
    parts = [*_axes(panel, up, days, centres)]
    parts += _marks(panel, centres, days, marks)
    intervals = sum(any(each and each[0] < each[2] for each in of) for _, _, of in drawn)
    for place, (color, _, values) in enumerate(drawn):
        # Intervals would hide one another.
        shift = _APART * (place - (len(drawn) - 1) / 2) if intervals > 1 else 0.0
        parts += _line(panel, up, [each + shift for each in centres], values, color)
    legend = [(_color(color), f"{SYMBOLS[color % _COLORS]} {name}") for color, name, _ in drawn]
    if mark and any(day in marks for day in days):
        legend.append(("", f"┊ {mark}"))
    return _picture(parts, legend, label)


def columns_svg(
    days: Sequence[str],
    stacked: Mapping[str, Sequence[float | None]],
    *,
    label: str,
    percent: bool = False,
    colors: Mapping[str, int] | None = None,
) -> str:
    """Draw what each day is made of, as a column.

    Args:
        days: As `YYYY-MM-DD`, in order.
        stacked: Per part, a value for each day, from below.
        label: What the chart shows, for whoever cannot see it.
        percent: Whether values are shares, which the axis shows in percent.
        colors: Which of the page's colours a part has. [default: by its place]
    """
    factor = 100 if percent else 1
    sums = [sum(values[n] or 0.0 for values in stacked.values()) for n in range(len(days))]
    panel = Panel(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT)
    up = Axis(0, factor * max([0.0, *sums]) or 1.0, _HEIGHT)
    centres = _centres(panel, len(days))
    width = max(1.5, 0.8 * panel.width / max(len(days), 1))
    parts = [*_axes(panel, up, days, centres)]
    below = [0.0] * len(days)
    legend = []
    for place, (name, values) in enumerate(stacked.items()):
        color = _color((colors or {}).get(name, place))
        legend.append((color, f"■ {name}"))
        for number, value in enumerate(values):
            if not value:
                continue
            x, bottom = panel.at(centres[number], up.at(factor * below[number]))
            below[number] += value
            _, top = panel.at(0, up.at(factor * below[number]))
            parts.append(
                f'<rect class="{color}" x="{x - min(width, 40) / 2:.1f}" y="{top:.1f}"'
                f' width="{min(width, 40):.1f}" height="{bottom - top:.1f}"/>'
            )
    return _picture(parts, legend, label)


def _scaled(line: Line, factor: float) -> list[tuple[float, float, float] | None]:
    """Lower end, value and upper end per day."""
    found: list[tuple[float, float, float] | None] = []
    for value in line.values:
        if isinstance(value, Estimate):
            found.append((value.low * factor, value.value * factor, value.high * factor))
        elif value is None or isnan(value):
            found.append(None)
        else:
            found.append((value * factor,) * 3)
    return found


def _line(
    panel: Panel,
    up: Axis,
    centres: Sequence[float],
    values: Sequence[tuple[float, float, float] | None],
    line: int,
) -> Iterator[str]:
    color = _color(line)
    places: list[list[tuple[float, float]]] = [[]]
    for along, value in zip(centres, values, strict=True):
        if value is None:
            places.append([])
            continue
        lower, middle, upper = (panel.at(along, up.at(each)) for each in value)
        places[-1].append(middle)
        if upper[1] < lower[1]:
            yield (
                f'<line class="whisker {color}" x1="{lower[0]:.1f}" y1="{lower[1]:.1f}"'
                f' x2="{upper[0]:.1f}" y2="{upper[1]:.1f}"/>'
            )
    for joined in places:
        if len(joined) > 1:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in joined)
            yield f'<polyline class="{color}" points="{points}"/>'
        for x, y in joined:
            yield marker(line, x, y, 2.5)


def _marks(
    panel: Panel, centres: Sequence[float], days: Sequence[str], marks: Collection[str]
) -> Iterator[str]:
    for along, day in zip(centres, days, strict=True):
        if day in marks:
            x, bottom = panel.at(along, 0)
            yield f'<line class="mark" x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{panel.top}"/>'


def _axes(panel: Panel, up: Axis, days: Sequence[str], centres: Sequence[float]) -> Iterator[str]:
    bottom = panel.top + panel.height
    yield f'<path d="M{panel.left} {panel.top}V{bottom}H{panel.left + panel.width}"/>'
    for value, label in up.ticks():
        x, y = panel.at(0, up.at(value))
        yield f'<path d="M{x} {y:.1f}H{x + panel.width}"/>'
        yield text(x - 5, y + 4, _short(value, label), anchor="end")
    named = sorted({0, (len(days) - 1) // 2, len(days) - 1}) if days else []
    for number in named:
        x, _ = panel.at(centres[number], 0)
        # The first and the last label stay inside of the picture.
        x = min(max(x, panel.left + 6), panel.left + panel.width - 12)
        yield text(x, bottom + 17, days[number][5:])


def _short(value: float, label: str) -> str:
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if abs(value) >= 10_000 else label


def _centres(panel: Panel, days: int) -> list[float]:
    """Along the lower axis, the middle of each day."""
    return [panel.width * (number + 0.5) / days for number in range(days)]


def _color(place: int) -> str:
    return f"curve-{place % _COLORS}"


def _picture(parts: Sequence[str], legend: Sequence[tuple[str, str]], label: str) -> str:
    x, y = float(_LEFT), _TOP + _HEIGHT + 38
    named = []
    for color, name in legend:
        width = _LETTER * (len(name) + 2)
        if x > _LEFT and x + width > _WIDTH:
            x, y = float(_LEFT), y + _ROW
        named.append(
            f'<text{f" class={color!r}" if color else ""} x="{x:.0f}" y="{y}">{escape(name)}</text>'
        )
        x += width
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {y + 6}" role="img"'
        f' aria-label="{escape(label, quote=True)}">{"".join([*parts, *named])}</svg>'
    )
