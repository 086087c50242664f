"""The settings of the measurements: how often, on which rows, with which candidates."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_JANUARY = "it needs the rows of January; set --january or JANUARY_DIR."


@dataclass(frozen=True)
class Plan:
    """The choices that all groups share.

    Attributes:
        pairs: Repetitions of each comparison.
        january: Folder of the real rows of January: `credit_score.csv` and
            `credit_score_features.csv`.
        seeds: The seed of each sample window for `pruning`.
        window_rows: Rows of each of these windows.
        large_rows: Rows of the large sample.
        middle_rows: Rows of the sample between January and the large one.
        growing_rows: Rows of each step of `rows`.
        searched_rows: The rows of such a step up to which all candidates are searched; on more,
            one is fitted.
        whole_search: Whether all candidates are searched in every step.
        feature_store_rows: Labels of the merge, and rows that are read.
        loaded_rows: Labels, and feature rows, of the CSV files that are loaded.
        load_seconds: How long a service is loaded in a turn.
        soak_seconds: How long it is loaded at four fifths of its capacity.
        batch_rows: Rows that are scored with reasons, and without.
        monitored_answers: Logged predictions of the day that is monitored.
        base_dates: Base dates of a backfill.
        compared_base_dates: Base dates of the backfills that are compared.
        backfill_rows: Rows of each window of a backfill.
        history_base_dates: Base dates in the history that `status` and the UI show.
        plot: File for the chart of `rows`.
        parameters: Parameters that differ from the platform's default search, for both ways.
        models: Folder that keeps the models of `promotion`, to judge them again; None: a temporary
            one.
        years: Folder that keeps each year of `year`; None: they are not kept.
    """

    pairs: int
    january: Path | None
    plot: Path
    seeds: tuple[int, ...]
    window_rows: int = 5_000
    large_rows: int = 100_000
    middle_rows: int = 30_000
    growing_rows: tuple[int, ...] = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    searched_rows: int = 100_000
    whole_search: bool = False
    feature_store_rows: tuple[int, int] = (1_000_000, 100_000)
    loaded_rows: int = 2_500_000
    load_seconds: float = 10
    soak_seconds: float = 600
    batch_rows: tuple[int, int] = (100_000, 1_000_000)
    monitored_answers: int = 1_000_000
    base_dates: int = 90
    compared_base_dates: int = 6
    backfill_rows: int = 1_500
    history_base_dates: int = 700
    parameters: dict[str, Any] = field(default_factory=dict)
    models: Path | None = None
    years: Path | None = None

    @classmethod
    def smoke(cls, pairs: int, january: Path | None, plot: Path, seeds: tuple[int, ...]) -> "Plan":
        """Tiny sizes, to test that everything runs."""
        return cls(
            pairs=pairs,
            january=january,
            plot=plot,
            seeds=seeds,
            window_rows=1_000,
            large_rows=2_000,
            middle_rows=1_500,
            growing_rows=(1_000, 2_000),
            searched_rows=1_000,
            feature_store_rows=(10_000, 5_000),
            loaded_rows=5_000,
            load_seconds=1,
            soak_seconds=6,
            batch_rows=(2_000, 5_000),
            monitored_answers=3_000,
            history_base_dates=12,
            base_dates=2,
            compared_base_dates=2,
            parameters={
                "depth": [3, 4],
                "rsm": [0.9, 1.0],
                "l2_leaf_reg": [3.0],
                "iterations": 30,
                "pruning_rungs": [5, 10],
            },
        )

    def search(self, **parameters: Any) -> str:
        """Parameters of the search as JSON, for a command line."""
        return json.dumps(self.parameters | parameters)

    def conditions(self) -> dict[str, Any]:
        """The settings that are recorded with the measurements."""
        return {"pairs": self.pairs, "parameters": self.parameters}
