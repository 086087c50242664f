"""A simulated year as a picture: what the champion was worth, and who said what when."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.year_alarms import Alarm, Plant
from benchmarks.year_log import YearLog
from credit_ct_dagster.modeling.pages.chart import Axis, Panel, picture, text

_WIDTH, _LEFT, _RIGHT, _TOP = 880, 190, 20, 50
_HEIGHT = 230
_ROW = 20
_BELOW = 60
_TRULY, _MEASURED, _ESTIMATED, _OTHERS = "#111", "#1f77b4", "#d62728", "#999"
_ALARM, _FALSE, _DEED = "#111", "#d62728", "#2ca02c"
_PLANT = "#fff3cd"


@dataclass(frozen=True)
class Lived:
    """A year with what is known of its alarms.

    Attributes:
        year: What happened.
        planted: What was planted.
        false: Those alarms of both monitors that no plant explains.
    """

    year: YearLog
    planted: Sequence[Plant]
    false: Sequence[Alarm]


def draw(years: Sequence[Lived], path: Path) -> None:
    """Draw years of one scenario: accuracies of the first one, and what was said in all of them.

    Args:
        years: One or more.
        path: Of the SVG.
    """
    year, planted = years[0].year, years[0].planted
    across = Axis(0, year.scenario.days, _WIDTH - _LEFT - _RIGHT)
    lower = _lower(years)
    rows, opacity = len(lower), max(1 / len(years), 0.2)
    height = _TOP + _HEIGHT + _BELOW + _ROW * rows + 40
    whole = Panel(_LEFT, _TOP, across.length, height - _TOP - 40)
    parts = [*_plants(planted, across, whole), *_upper([each.year for each in years], across)]
    for place, (name, marks) in enumerate(lower):
        y = _TOP + _HEIGHT + _BELOW + _ROW * place
        parts.append(text(_LEFT - 8, y + 4, name, anchor="end"))
        parts.append(f'<path d="M{_LEFT} {y}h{across.length}" stroke="#ddd"/>')
        parts += [
            f'<circle cx="{_LEFT + across.at(number):.1f}" cy="{y}" r="3" fill="{color}"'
            f' fill-opacity="{1 if color == _FALSE else opacity:.2f}">'
            f"<title>seed {seed}, day {number}</title></circle>"
            for seed, number, color in marks
        ]
    parts.append(
        text(
            _LEFT + across.length / 2,
            height - 14,
            "day of the year; black: an alarm that a plant explains, red: a false one, green: what"
            " was done; darker: in more years",
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(_WIDTH, height, parts) + "\n", "utf8")


def _plants(planted: Sequence[Plant], across: Axis, whole: Panel) -> Iterator[str]:
    for place, plant in enumerate(planted):
        x = _LEFT + across.at(plant.start)
        width = _LEFT + across.at(min(plant.end, across.high)) - x
        yield (
            f'<rect x="{x:.1f}" y="{whole.top}" width="{width:.1f}"'
            f' height="{whole.height:.0f}" fill="{_PLANT}"/>'
        )
        yield f'<path d="M{x:.1f} {whole.top}v{whole.height:.0f}" stroke="#b8860b"/>'
        # So that neighbours do not cover each other.
        above = whole.top - 6 - 13 * (place % 2)
        yield text(x + 2, above, f"{plant.start}: {plant.name}", anchor="start")


def _upper(years: Sequence[YearLog], across: Axis) -> Iterator[str]:
    """What the champion was worth."""
    year, *others = years
    measured = [each for each in year.days if each.measured]
    values = [day.truly for each in years for day in each.days]
    values += [each.estimated for each in year.days if each.estimated is not None]
    values += [each.measured[0] for each in measured if each.measured]
    up = Axis.around(values, _HEIGHT)
    panel = Panel(_LEFT, _TOP, across.length, _HEIGHT)
    yield from panel.frame("", "")
    title = f"A simulated year (seed {year.seed}): accuracy of what was served"
    if others:
        seeds = ", ".join(f"seed {each.seed}" for each in others)
        title += f"; grey, and all marks below: also {seeds}"
    yield text(_LEFT + across.length / 2, 18, title, size=13)
    yield from panel.ticks_up(up)
    yield from panel.ticks_along(across, whole=True)
    for day in measured:
        assert day.measured
        value, low, high = day.measured
        x, y = panel.at(across.at(day.number), up.at(value))
        ends = [panel.at(0, up.at(min(max(each, up.low), up.high)))[1] for each in (low, high)]
        yield (
            f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="{_MEASURED}"'
            ' stroke-opacity="0.25"/>'
        )
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.4" fill="{_MEASURED}"/>'
    for each in others:
        yield _line(panel, up, across, ((d.number, d.truly) for d in each.days), _OTHERS)
    yield _line(panel, up, across, ((d.number, d.estimated) for d in year.days), _ESTIMATED)
    yield _line(panel, up, across, ((d.number, d.truly) for d in year.days), _TRULY)
    left = Panel(_LEFT, _TOP + _HEIGHT * 0.55, 190, 60)
    yield from left.legend(
        [
            (_TRULY, "true, of all customers"),
            (_MEASURED, "by labels, 95 % interval"),
            (_ESTIMATED, "estimated, without labels"),
        ]
    )


def _line(
    panel: Panel,
    up: Axis,
    across: Axis,
    values: Iterable[tuple[int, float | None]],
    color: str,
) -> str:
    points = [
        "{:.1f},{:.1f}".format(*panel.at(across.at(number), up.at(value)))
        for number, value in values
        if value is not None
    ]
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}"/>'


_Mark = tuple[int, int, str]
"""The seed of a year, a day of it, and a colour."""


def _lower(years: Sequence[Lived]) -> list[tuple[str, list[_Mark]]]:
    """Rows of marks: alarms by kind, and what was done."""
    rows: dict[str, dict[str, list[_Mark]]] = {"platform": {}, "": {}, "naive": {}}
    for each in years:
        year, seed = each.year, each.year.seed
        for who, alarms in (("platform", year.alarms), ("naive", year.naive)):
            for alarm in alarms:
                mark = seed, alarm.number, _FALSE if alarm in each.false else _ALARM
                rows[who].setdefault(f"{who}: {alarm.kind}", []).append(mark)
        for deed in year.deeds:
            rows[""].setdefault(deed.what, []).append((seed, deed.number, _DEED))
    return [row for of_one in rows.values() for row in of_one.items()]
