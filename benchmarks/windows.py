"""The rows on which searches are compared: those of January, and sample windows."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.loading.csv_files import check_features, check_labels
from credit_ct_dagster.loading.sample_data import MONTHS, generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.partitions import LabelWindow

BASE_DT = "2025-08-31"
JANUARY_BASE_DT = "2025-01-31"
TRAIN_SHARE, VAL_SHARE = 0.70, 0.15
_PIECE_ROWS = 100_000

Tables = tuple[pd.DataFrame, pd.DataFrame]
"""Rows of `credit_score` and of `credit_score_features`."""


@dataclass(frozen=True)
class Window:
    """The rows of a base date, split and not yet scaled, as files for other processes.

    Attributes:
        name: Its name in reports.
        base_dt: The base date.
        folder: Holds a Parquet file for each split.
        rows: The number of rows.
    """

    name: str
    base_dt: str
    folder: Path
    rows: int

    @classmethod
    def write(cls, name: str, base_dt: str, tables: Tables, folder: Path) -> "Window":
        """Join labels and features as the merge does, and split them as the platform does."""
        labels, features = tables
        joined = labels.merge(features.drop(columns=schema.PERSONAL), on=schema.KEY)
        joined.insert(0, schema.BASE_DATE, base_dt)
        rows = joined[schema.MERGED_COLUMNS].sort_values(["id", "customer_id"], ignore_index=True)
        folder.mkdir(parents=True)
        for split, part in split_by_customer(rows, TRAIN_SHARE, VAL_SHARE).items():
            part.to_parquet(folder / f"{split}.parquet", index=False)
        return cls(name, base_dt, folder, len(rows))

    @classmethod
    def january(cls, source: Path, folder: Path) -> "Window":
        """The window of the real rows."""
        return cls.write("January", JANUARY_BASE_DT, january(source), folder)

    @classmethod
    def sample(cls, rows: int, seed: int, folder: Path) -> "Window":
        """A window of sample rows."""
        name = f"{rows:,} sample rows, seed {seed}"
        return cls.write(name, BASE_DT, sample(rows, seed), folder)


def read_splits(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the files that `Window.write` wrote."""
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in SPLITS}


def january(source: Path) -> Tables:
    """The real labels and features of January 2025."""
    return (
        check_labels(source / "credit_score.csv").frame(),
        check_features(source / "credit_score_features.csv").frame(),
    )


def sample(rows: int, seed: int) -> Tables:
    """Sample labels and features of one window; nearly every row has its own customer.

    More than 100,000 rows are made in pieces, with customers of their own: a piece is cut from
    eight months, which take a kilobyte per row and month.
    """
    pieces = [
        _piece(min(_PIECE_ROWS, rows - start), seed + 1_000 * number, number)
        for number, start in enumerate(range(0, rows, _PIECE_ROWS))
    ]
    labels, features = (pd.concat(each) for each in zip(*pieces, strict=True))
    return labels, features


def _piece(rows: int, seed: int, number: int) -> Tables:
    labels, features = generate(rows * MONTHS, date.fromisoformat(BASE_DT), seed)
    inside = labels["date"].isin(LabelWindow.of(BASE_DT).days)
    chosen = labels[inside].tail(rows)
    return _numbered(chosen, number), _numbered(features.loc[chosen.index], number)


def _numbered(rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Rows whose ids and customers are in no other piece; those of piece 0 stay as they are."""
    if number == 0:
        return rows
    ids = {name: f"{number:02}" + rows[name].str.zfill(8) for name in ("id", schema.CUSTOMER)}
    return rows.assign(**ids)
