"""The windows on which ways of training are compared: of each seed another one, real and sample."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.leakage import prepared
from benchmarks.plan import Plan
from benchmarks.windows import BASE_DT, JANUARY_BASE_DT, Window, january, read_splits, sample
from credit_ct_dagster.modeling import schema


@dataclass(frozen=True)
class PreparedWindow:
    """A window, ready to be trained on.

    Attributes:
        name: Its name in reports.
        population: What its customers are drawn from: splits of January share theirs.
        rows: Prepared, per split.
    """

    name: str
    population: str
    rows: dict[str, pd.DataFrame]


def prepared_windows(plan: Plan) -> Iterator[PreparedWindow]:
    """Per seed: another split of January, if its rows are given, and another sample window."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in plan.seeds:
            if plan.january:
                labels, features = (_renamed(each, seed) for each in january(plan.january))
                window = Window.write(
                    f"January, split {seed}", JANUARY_BASE_DT, (labels, features),
                    Path(folder) / f"january{seed}",
                )  # fmt: skip
                yield PreparedWindow(window.name, "January", prepared(read_splits(window.folder)))
            window = Window.write(
                f"{plan.window_rows:,} sample rows, seed {seed}", BASE_DT,
                sample(plan.window_rows, seed), Path(folder) / f"sample{seed}",
            )  # fmt: skip
            yield PreparedWindow(window.name, window.name, prepared(read_splits(window.folder)))


def _renamed(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Other names for the customers: their hash decides on which side of a split they are."""
    return table.assign(**{schema.CUSTOMER: table[schema.CUSTOMER] + f":{seed}"})
