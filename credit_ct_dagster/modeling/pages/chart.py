"""Parts of a chart as SVG: axes with ticks, text, a legend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Self

_LINE = "#444"
_TICKS = 5
LETTER = 6.2
"""About the width of a letter, in pixels."""


def picture(width: float, height: float, parts: Iterable[str]) -> str:
    """A picture of its parts, on white: it is shown in dark windows as well."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )


def text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "middle",
    size: int | None = None,
    color: str = "black",
    turned: bool = False,
) -> str:
    """A line of text.

    Args:
        x: Of its anchor, in pixels from the left.
        y: Of its baseline, in pixels from above.
        content: Is escaped.
        anchor: `start`, `middle` or `end`.
        size: Of the letters, if another than that of the picture.
        color: Of the letters.
        turned: Whether it is read from below.
    """
    options = "" if size is None else f' font-size="{size}"'
    if color != "black":
        options += f' fill="{color}"'
    if turned:
        options += f' transform="rotate(-90 {x:.0f} {y:.0f})"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{options}>{escape(content)}</text>'


SYMBOLS = "●■▲"
"""The markers of lines, as a legend names them: they tell lines apart without colour."""


def marker(line: int, x: float, y: float, size: float) -> str:
    """The marker of a line of a page's chart.

    Args:
        line: Which one, from 0; the fourth looks as the first.
        x: Its middle, in units from the left.
        y: Its middle, in units from above.
        size: Half of its width.
    """
    shape = line % len(SYMBOLS)
    style = f'class="curve-{shape}"'
    if shape == 0:
        return f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'
    corners = (
        [(-1, -1), (1, -1), (1, 1), (-1, 1)] if shape == 1 else [(0, -1.2), (1.1, 1), (-1.1, 1)]
    )
    points = " ".join(f"{x + size * right:.1f},{y + size * down:.1f}" for right, down in corners)
    return f'<polygon {style} points="{points}"/>'


@dataclass(frozen=True)
class Axis:
    """Where values are on a line.

    Attributes:
        low: The value at its start.
        high: The value at its end.
        length: Of the line, in pixels.
    """

    low: float
    high: float
    length: float

    @classmethod
    def around(cls, values: Sequence[float], length: float) -> Self:
        """With a margin around values; from 0 to 1 without any."""
        if not values:
            return cls(0.0, 1.0, length)
        low, high = min(values), max(values)
        margin = 0.08 * (high - low) or 0.01
        return cls(low - margin, high + margin, length)

    def at(self, value: float) -> float:
        """Pixels from its start."""
        return self.length * (value - self.low) / (self.high - self.low)

    def ticks(self, whole: bool = False) -> list[tuple[float, str]]:
        """Round values, about five, with their labels.

        Args:
            whole: Whether only whole numbers make sense.
        """
        rough = (self.high - self.low) / _TICKS
        unit = 10.0 ** floor(log10(rough))
        step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
        if whole:
            step = max(step, 1.0)
        digits = max(0, -floor(log10(step)))
        first, last = ceil(self.low / step), floor(self.high / step)
        return [(number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1)]


@dataclass(frozen=True)
class Panel:
    """The area of a chart that holds its values, in pixels of the picture."""

    left: float
    top: float
    width: float
    height: float

    def at(self, along: float, up: float) -> tuple[float, float]:
        """A place of the picture, from pixels along and above its lower left corner."""
        return self.left + along, self.top + self.height - up

    def frame(self, title: str, label: str) -> list[str]:
        """The two axes, the title above, and what is counted along the lower one."""
        bottom, middle = self.top + self.height, self.left + self.width / 2
        return [
            text(middle, self.top - 14, title, size=13),
            text(middle, bottom + 36, label),
            f'<path d="M{self.left:.0f} {self.top:.0f}V{bottom:.0f}H{self.left + self.width:.0f}"'
            f' fill="none" stroke="{_LINE}"/>',
        ]

    def tick_along(self, along: float, label: str) -> str:
        """A mark below the lower axis, with a label."""
        x, y = self.at(along, 0)
        return f'<path d="M{x:.1f} {y:.0f}v4" stroke="{_LINE}"/>{text(x, y + 17, label)}'

    def ticks_along(self, axis: Axis, whole: bool = False) -> list[str]:
        """Marks below the lower axis."""
        return [self.tick_along(axis.at(value), label) for value, label in axis.ticks(whole)]

    def ticks_up(self, axis: Axis) -> list[str]:
        """Marks left of the other axis."""
        found = []
        for value, label in axis.ticks():
            x, y = self.at(0, axis.at(value))
            found.append(f'<path d="M{x:.0f} {y:.1f}h-4" stroke="{_LINE}"/>')
            found.append(text(x - 7, y + 4, label, anchor="end"))
        return found

    def legend(self, lines: Sequence[tuple[str, str]]) -> list[str]:
        """Colours and what they mean, in a half transparent box on the right."""
        if not lines:
            return []
        width = 14 + LETTER * max(len(line) for _, line in lines)
        x, y = self.left + self.width - width, self.top + self.height / 2 - 9 * len(lines)
        found = [
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{18 * len(lines):.0f}"'
            ' fill="white" fill-opacity="0.8" stroke="#ccc"/>'
        ]
        for place, (color, line) in enumerate(lines):
            found.append(text(x + 6, y + 13 + 18 * place, line, anchor="start", color=color))
        return found
