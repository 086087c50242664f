"""Pictures of a model: small, well formed, and with every value in its place."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.chart import Axis
from credit_ct_dagster.modeling.pages.plots import (
    confusion_matrix_svg,
    importances_svg,
    search_svg,
)

_SVG = "{http://www.w3.org/2000/svg}"
_LOSSES = list(0.4 + 0.2 / np.arange(1, 1000))


def _trial(number: int, state: TrialState, accuracy: float = 0.0) -> Trial:
    return Trial(
        number=number, params={}, iterations=9, state=state,
        metrics={"accuracy": accuracy, "log_loss": 1.0},
    )  # fmt: skip


def _trials(completed: dict[int, float], failed: tuple[int, ...] = ()) -> list[Trial]:
    """27 trials; all that are not named were pruned."""
    return [
        _trial(number, TrialState.completed, completed[number])
        if number in completed
        else _trial(number, TrialState.failed if number in failed else TrialState.pruned)
        for number in range(27)
    ]


def _words(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{_SVG}text")]


def test_a_search_shows_how_each_trial_ended() -> None:
    """A point per completed trial, higher where it is more accurate; marks for all others."""
    completed = {0: 0.70, 4: 0.74, 7: 0.72}
    svg = search_svg(
        _trials(completed, failed=(5,)), dict.fromkeys(completed, _LOSSES), "MultiClass"
    )
    points = list(ElementTree.fromstring(svg).iter(f"{_SVG}circle"))
    places = sorted((float(each.attrib["cx"]), float(each.attrib["cy"])) for each in points)
    assert [x for x, _ in places] == pytest.approx(
        [64 + 400 * number / 26 for number in (0, 4, 7)], abs=0.1
    )
    assert np.argsort([-y for _, y in places]).tolist() == [0, 2, 1]
    words = _words(svg)
    assert (words.count("|"), words.count("×"), words.count("★")) == (23, 1, 1)
    assert {"● completed (3)", "| pruned (23)", "× failed (1)", "★ best, trial 4"} <= set(words)
    assert "Minimised loss (MultiClass), on validation" in words, "it is no log-loss"


def test_the_curve_of_the_best_trial_is_in_front() -> None:
    """The last one that is drawn; it goes from the first to the last tree, falling all the way."""
    completed = {0: 0.70, 4: 0.74, 7: 0.72}
    svg = search_svg(_trials(completed), dict.fromkeys(completed, _LOSSES), "MultiClass")
    lines = list(ElementTree.fromstring(svg).iter(f"{_SVG}polyline"))
    assert [each.get("stroke-width") for each in lines] == [None, None, "2"]
    points = [tuple(map(int, each.split(","))) for each in lines[-1].attrib["points"].split()]
    assert (points[0][0], points[-1][0]) == (64, 464)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)


@pytest.mark.parametrize(
    ("trials", "curves"),
    [
        ([], {}),
        (_trials({}), {}),
        ([_trial(0, TrialState.completed, 0.7)], {0: [0.5]}),
        ([_trial(0, TrialState.completed, 0.7)], {0: []}),
        (_trials({1: 0.7, 2: 0.7}), {1: [0.5, 0.5], 2: [0.5]}),
    ],
    ids=["nothing", "none completed", "one tree", "no curve", "all alike"],
)
def test_any_search_can_be_drawn(trials: list[Trial], curves: dict[int, list[float]]) -> None:
    """Without a value that is not a number."""
    svg = search_svg(trials, curves, "MultiClass")
    assert _words(svg)
    assert not re.search(r"nan|inf", svg.replace('fill="none"', ""))


def test_a_confusion_matrix_shows_counts_and_shares_of_the_true_class() -> None:
    """The darker a cell is, the larger its share; a class without rows has shares of 0."""
    counts = np.array([[1_200, 300, 0], [10, 80, 10], [0, 0, 0]])
    svg = confusion_matrix_svg(counts, "Holdout, 2025-01-31 <&>")
    words = _words(svg)
    assert words[0] == "Holdout, 2025-01-31 <&>"
    assert {"1,200", "80%", "300", "20%", "10%"} <= set(words)
    cells = [each.attrib["fill"] for each in ElementTree.fromstring(svg).iter(f"{_SVG}rect")][1:]
    assert cells[0] == cells[4] != cells[1]
    assert set(cells[6:]) == {"rgb(247,251,255)"}


def test_bars_are_as_long_as_importances_are_high() -> None:
    """In the order that is given."""
    svg = importances_svg({"outstanding_debt": 40.0, "interest_rate": 20.0, "age": 0.0})
    bars = list(ElementTree.fromstring(svg).iter(f"{_SVG}rect"))[1:]
    assert [float(each.attrib["width"]) for each in bars] == [360.0, 180.0, 0.0]
    assert [w for w in _words(svg) if w in schema.FEATURES] == [
        "outstanding_debt", "interest_rate", "age",
    ]  # fmt: skip
    assert _words(importances_svg({}))


@pytest.mark.parametrize(
    ("low", "high", "whole", "labels"),
    [
        (0.69, 0.75, False, ["0.70", "0.72", "0.74"]),
        (0, 26, True, ["0", "10", "20"]),
        (0, 2, True, ["0", "1", "2"]),
        (0, 37.5, False, ["0", "10", "20", "30"]),
    ],
)
def test_ticks_are_round(low: float, high: float, whole: bool, labels: list[str]) -> None:
    """And inside of the axis."""
    assert [label for _, label in Axis(low, high, 100).ticks(whole)] == labels


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_pictures_fit_the_page_of_an_asset_on_a_laptop(
    monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    """560 pixels are what a window of 1,400 leaves; names are in full, columns' cut where long."""
    names = [f"{'a very long name of class '}{number:05}" for number in range(classes)]
    monkeypatch.setattr(schema, "CLASSES", names)
    matrix = confusion_matrix_svg(np.eye(classes, dtype=int), "Holdout")
    search = search_svg(_trials({0: 0.7}), {0: _LOSSES}, "MultiClassOneVsAll")
    importances = importances_svg(dict.fromkeys(names, 4.0))
    for svg in (matrix, search, importances):
        assert int(ElementTree.fromstring(svg).attrib["width"]) <= 560
        for word in ElementTree.fromstring(svg).iter(f"{_SVG}text"):
            long = 6.2 * len(word.text or "")
            begins = {"start": 0.0, "middle": long / 2, "end": long}[word.attrib["text-anchor"]]
            assert float(word.attrib["x"]) - begins >= 0, word.text
    assert set(names) <= set(_words(matrix))
    assert set(names) <= set(_words(importances))


def test_pictures_are_small() -> None:
    """Dagster's page of events loads those of a hundred base dates at once."""
    trials = _trials({number: 0.7 + number / 1000 for number in range(27)})
    search = search_svg(trials, dict.fromkeys(range(27), _LOSSES), "MultiClass")
    importances = importances_svg(dict.fromkeys(schema.FEATURES, 4.0))
    matrix = confusion_matrix_svg(np.diag([10, 20, 30]), "Holdout")
    assert sum(map(len, (search, importances, matrix))) < 40_000
