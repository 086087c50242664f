"""Pictures of a model, as SVG: written as text, in a few milliseconds.

matplotlib takes a second to import and to draw three pictures, longer than most steps; and the page
of events in Dagster's UI loads the pictures of a hundred base dates at once: they have to be small.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10

import numpy as np

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.chart import LETTER, Axis, Panel, picture, text
from credit_ct_dagster.modeling.search.tuning import best_of, completed_of

_BLUE, _ORANGE, _GRAY, _RED = "#4c72b0", "#dd8452", "#8c8c8c", "#c44e52"
_PALEST, _DARKEST = np.array([247, 251, 255]), np.array([8, 48, 107])
_WIDEST = 560
"""Pixels of the column of values on the page of an asset, in a window of 1,400."""
_CELL = 84
_BAR = 20
_APART = 6
"""Pixels between two points of a curve, at least."""


def confusion_matrix_svg(counts: np.ndarray, title: str) -> str:
    """Draw true against predicted classes.

    Args:
        counts: Shape (3, 3), rows true and columns predicted, in the order of `schema.CLASSES`.
        title: What was measured.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    left, top = max(96, _room_for(schema.CLASSES)), 34
    cell = min(_CELL, (_WIDEST - left - 16) // len(schema.CLASSES))
    size = cell * len(schema.CLASSES)
    middle = size / 2
    parts = [
        text(left + middle, 20, title, size=13),
        text(left + middle, top + size + 40, "predicted"),
        text(16, top + middle, "true", turned=True),
    ]
    for place, name in enumerate(schema.CLASSES):
        centre = (place + 0.5) * cell
        parts += [
            text(left + centre, top + size + 18, _cut(name, cell)),
            text(left - 8, top + centre + 4, name, anchor="end"),
        ]
    for (true, predicted), count in np.ndenumerate(counts):
        share = float(shares[true, predicted])
        red, green, blue = (_PALEST + share * (_DARKEST - _PALEST)).round().astype(int)
        x, y = left + predicted * cell, top + true * cell
        ink = "white" if share > 0.5 else "black"
        parts += [
            f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}"'
            f' fill="rgb({red},{green},{blue})"/>',
            text(x + cell / 2, y + cell / 2 - 2, f"{count:,}", color=ink),
            text(x + cell / 2, y + cell / 2 + 14, f"{share:.0%}", color=ink),
        ]
    return picture(left + size + 16, top + size + 52, parts)


def importances_svg(importances: Mapping[str, float]) -> str:
    """Draw how much each feature moves the prediction, in percent, highest on top."""
    height = _BAR * len(importances)
    left = max(180, _room_for(importances))
    panel = Panel(left, 34, _WIDEST - left - 20, height)
    axis = Axis(0, max(importances.values(), default=0.0) or 1.0, panel.width)
    parts = panel.frame("Feature importances", "% (PredictionValuesChange)")
    parts += panel.ticks_along(axis)
    for place, (name, percent) in enumerate(importances.items()):
        y = panel.top + place * _BAR
        parts += [
            text(panel.left - 8, y + _BAR / 2 + 4, name, anchor="end"),
            f'<rect x="{panel.left}" y="{y + 3}" width="{axis.at(percent):.1f}"'
            f' height="{_BAR - 6}" fill="{_BLUE}"/>',
        ]
    return picture(panel.left + panel.width + 20, panel.top + height + 48, parts)


def search_svg(
    trials: Sequence[Trial], curves: Mapping[int, Sequence[float]], loss_function: str
) -> str:
    """Draw a search: how each trial ended, and the minimised loss of those that completed.

    Args:
        trials: All trials, in their order.
        curves: Per number of a completed trial, its minimised loss on validation after each tree.
        loss_function: Which loss that is, by CatBoost's name.
    """
    title = f"Minimised loss ({loss_function}), on validation"
    parts = [
        *_accuracies(Panel(64, 34, 400, 180), trials),
        *_losses(Panel(64, 300, 400, 180), curves, best_of(trials), title),
    ]
    return picture(484, 530, parts)


def _accuracies(panel: Panel, trials: Sequence[Trial]) -> list[str]:
    """The accuracy of each completed trial; others are marked along the lower edge."""
    best, completed = best_of(trials), completed_of(trials)
    values = [trial.metrics["accuracy"] for trial in completed]
    along = Axis(0, max((trial.number for trial in trials), default=1) or 1, panel.width)
    up = Axis.around(values, panel.height)
    parts = panel.frame("Accuracy per trial, on validation", "trial")
    parts += panel.ticks_along(along, whole=True) + panel.ticks_up(up)
    legend: list[tuple[str, str]] = []
    if completed:
        legend.append((_BLUE, f"● completed ({len(completed)})"))
    for trial in completed:
        x, y = panel.at(along.at(trial.number), up.at(trial.metrics["accuracy"]))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_BLUE}"/>')
    for state, mark, color in (
        (TrialState.pruned, "|", _GRAY), (TrialState.failed, "×", _RED),
    ):  # fmt: skip
        numbers = [trial.number for trial in trials if trial.state == state]
        for number in numbers:
            x, y = panel.at(along.at(number), 8)
            parts.append(text(x, y + 4, mark, color=color))
        if numbers:
            legend.append((color, f"{mark} {state} ({len(numbers)})"))
    if best:
        x, y = panel.at(along.at(best.number), up.at(best.metrics["accuracy"]))
        parts.append(text(x, y + 6, "★", size=18, color=_ORANGE))
        legend.append((_ORANGE, f"★ best, trial {best.number}"))
    return parts + panel.legend(legend)


def _losses(
    panel: Panel, curves: Mapping[int, Sequence[float]], best: Trial | None, title: str
) -> list[str]:
    """The curve of each completed trial, that of the best one in front."""
    drawn = {number: list(curve) for number, curve in curves.items() if len(curve)}
    up = Axis.around([value for curve in drawn.values() for value in curve], panel.height)
    along = Axis(0, log10(max(map(len, drawn.values()), default=1)) or 1.0, panel.width)
    parts = panel.frame(title, "trees of completed trials")
    parts += panel.ticks_up(up)
    for power in range(floor(along.low), ceil(along.high) + 1):
        if power <= along.high:
            parts.append(panel.tick_along(along.at(power), f"{10**power:,}"))
    chosen = None if best is None else best.number
    for number in sorted(drawn, key=lambda number: number == chosen):
        points = _thinned([along.at(log10(tree)) for tree in range(1, len(drawn[number]) + 1)])
        places = (panel.at(points[i], up.at(drawn[number][i])) for i in points)
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        style = (
            f'stroke="{_ORANGE}" stroke-width="2"'
            if number == chosen
            else f'stroke="{_BLUE}" stroke-opacity="0.5"'
        )
        parts.append(f'<polyline points="{line}" fill="none" {style}/>')
    return parts


def _room_for(names: Iterable[str]) -> int:
    """Pixels left of an axis for its names, and what is written before them."""
    return 24 + ceil(LETTER * max(map(len, names), default=0))


def _cut(name: str, pixels: float) -> str:
    """A name that is in full elsewhere, as long as there is room."""
    letters = int(pixels / LETTER)
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def _thinned(places: Sequence[float]) -> dict[int, float]:
    """The points of a curve that are apart by some pixels, its last one among them, by number."""
    found = {0: places[0]}
    before = places[0]
    for number, place in enumerate(places):
        if place - before >= _APART or number == len(places) - 1:
            found[number] = before = place
    return found
