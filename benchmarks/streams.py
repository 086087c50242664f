"""Streams of daily models: real models of overlapping windows, in a world that stands still.

The rows of a month are the world. Every day of a stream draws its own new rows from the customers
of each side (the platform's own split, so nobody changes sides), and a model is fitted on the rows
of the last 30 days. Because nothing in the world changes, and the holdout side is known completely,
it is known exactly which of two models is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from benchmarks.windows import JANUARY_BASE_DT, TRAIN_SHARE, VAL_SHARE, Tables, january, sample
from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import split_by_customer

ROWS_PER_DAY = {"train": 61, "val": 13, "holdout": 13}  # 87: some 2,600 rows in a window
WINDOW_DAYS = 30
MOST_WINDOWS = 3  # that the gate pools
_DAYS_BEFORE = WINDOW_DAYS * MOST_WINDOWS
_WEAK_WINDOW_END = -60  # shares no day with the windows of the challengers


@dataclass(frozen=True)
class Recipe:
    """How a model of a stream is made.

    Attributes:
        name: Unique in its stream.
        day: The last day of its window.
        rows: The share of the window's training rows that it is fitted to.
        trees: The most trees that it may have; None for the platform's own limit.
        half: Instead of a window: the first (0) or the second (1) half of all customers, so that
            two models share none.
    """

    name: str
    day: int
    rows: float = 1.0
    trees: int | None = None
    half: int | None = None


def daily(days: int) -> list[Recipe]:
    """The models of a stream, the first of which is its first champion (day 0)."""
    return [Recipe(f"day-{day:03}", day) for day in range(days + 1)]


def weaker(shares: Sequence[float], trees: Sequence[int]) -> list[Recipe]:
    """Models that learned from fewer rows, or were stopped early: champions to be replaced."""
    few = [Recipe(f"rows-{share:g}", _WEAK_WINDOW_END, rows=share) for share in shares]
    early = [Recipe(f"trees-{count}", _WEAK_WINDOW_END, trees=count) for count in trees]
    return few + early


def halves() -> list[Recipe]:
    """Two models that learned from other customers, as those of two months would."""
    return [Recipe(f"half-{half}", 0, half=half) for half in (0, 1)]


@dataclass(frozen=True)
class World:
    """All customers there are, a row each, by the side that they are on.

    Attributes:
        name: Its name in reports.
        sides: Raw, labelled rows per split.
    """

    name: str
    sides: Mapping[str, pd.DataFrame]

    @classmethod
    def of(cls, name: str, tables: Tables) -> Self:
        """Join labels and features, and split as the platform does."""
        labels, features = tables
        joined = labels.merge(features.drop(columns=schema.PERSONAL), on=schema.KEY)
        joined.insert(0, schema.BASE_DATE, JANUARY_BASE_DT)
        rows = joined[schema.MERGED_COLUMNS].sort_values(["id", schema.CUSTOMER], ignore_index=True)
        return cls(name, split_by_customer(rows, TRAIN_SHARE, VAL_SHARE))

    @classmethod
    def january(cls, source: Path) -> Self:
        """The real rows; each has its own customer."""
        return cls.of("January", january(source))

    @classmethod
    def sample(cls, rows: int, seed: int = 0) -> Self:
        """Sample rows; nearly each has its own customer."""
        return cls.of("sample rows", sample(rows, seed))

    @property
    def judged(self) -> pd.DataFrame:
        """The holdout side: what no model sees, and on which the truth is known."""
        return self.sides["holdout"]


@dataclass(frozen=True)
class Stream:
    """The rows that the days of one stream draw.

    Attributes:
        drawn: Per split, row numbers within its side, shape (days, rows per day).
    """

    drawn: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, world: World, days: int, seed: int) -> Self:
        """Draw the rows of the days, and of the windows before the first one.

        Each day draws with replacement, as a world with endlessly many customers like these would
        provide them.
        """
        return cls(
            {
                split: _drawn(len(world.sides[split]), ROWS_PER_DAY[split], days, (seed, number))
                for number, split in enumerate(SPLITS)
            }
        )

    def rows(self, world: World, split: str, recipe: Recipe) -> pd.DataFrame:
        """The rows that a model is fitted to, or chosen by.

        A customer who is drawn twice keeps the same id: so the folds in which a calibration is
        chosen share nobody.
        """
        side = world.sides[split]
        if recipe.half is not None:
            shuffled = np.random.default_rng(self.drawn[split][0]).permutation(len(side))
            return side.iloc[shuffled[recipe.half :: 2]].reset_index(drop=True)
        rows = side.iloc[window(self.drawn[split], recipe.day)].reset_index(drop=True)
        return rows.tail(round(recipe.rows * len(rows))) if split == "train" else rows


def holdout_draws(world: World, days: int, seed: int, again: int) -> np.ndarray:
    """Another draw of the holdout rows of a stream's days, shape (days, rows per day).

    No model has seen any of them. So the luck of the holdout can be drawn many times for models
    that were fitted once.
    """
    return _drawn(len(world.judged), ROWS_PER_DAY["holdout"], days, (seed, 100 + again))


def window(drawn: np.ndarray, day: int, windows: int = 1) -> np.ndarray:
    """The row numbers of the windows that end on a day, oldest first, shape (rows,)."""
    end = day + _DAYS_BEFORE
    return drawn[end - windows * WINDOW_DAYS : end].ravel()


def _drawn(population: int, per_day: int, days: int, seed: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(population, size=(days + _DAYS_BEFORE, per_day))
