"""Several labels and feature rows per id, and what a merge should take of them, in plain Python."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from credit_ct_dagster.partitions import LabelWindow

Label = tuple[str, str, str, str]
"""Id, customer, date and class."""
Feature = tuple[str, str, str, float]
"""Id, customer, date and age."""


@dataclass
class Expected:
    """What a merge should insert and report."""

    rows: list[tuple[str, str, str, str, float]]
    without: int = 0
    later: int = 0
    superseded: int = 0


def expected(
    labels: Iterable[Label], features: Iterable[Feature], base_dt: str, *, point_in_time: bool
) -> Expected:
    """The rows of a merge: id, customer, day and class of the label, age of its features.

    Args:
        labels: With dates that begin with a day.
        features: Likewise.
        base_dt: The base date.
        point_in_time: Whether features must be dated on or before their label's day.
    """
    days = set(LabelWindow.of(base_dt).days)
    in_window = sorted(each for each in labels if each[2][:10] in days)
    found = Expected([])
    for _, of_key in groupby(in_window, lambda label: label[:2]):
        _add(found, [*of_key], [*features], base_dt, point_in_time)
    return found


def _add(
    found: Expected, labels: list[Label], features: list[Feature], base_dt: str, point_in_time: bool
) -> None:
    """What the labels of one id and customer add, given in the order of their dates."""
    for label in labels:
        own = sorted((f for f in features if f[:2] == label[:2]), key=lambda f: f[2])
        usable = [f for f in own if not point_in_time or f[2][:10] <= label[2][:10]]
        found.without += not own
        found.superseded += len(usable)
        if label is not labels[-1]:
            continue
        if usable:
            until = [f for f in usable if f[2][:10] <= base_dt]
            taken = until[-1] if until else usable[0]
            found.rows.append((*label[:2], label[2][:10], label[3], taken[3]))
            found.superseded -= 1
        elif own:
            found.later += 1


def unique(rows: Iterable[tuple]) -> Iterator[tuple]:
    """The first of the rows with one id, customer and date."""
    yield from {row[:3]: row for row in reversed([*rows])}.values()
