"""The merge against the bare SQL, reading against pandas, and the limits in seconds."""

import tempfile
from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from benchmarks.database import BASE_DT, client, database_with, server
from benchmarks.measure import Comparison, compare, limit
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.splitting import split_by_customer
from credit_ct_dagster.resources.feature_store import FeatureStore
from credit_ct_dagster.sample_data import generate

_MERGED_ROWS, _READ_ROWS = 1_000_000, 100_000

_FEATURES = ", ".join(f"f.{name}" for name in schema.FEATURES)
_BARE_SQL = f"""
START TRANSACTION;
DELETE FROM credit_score_features_target
WHERE base_dt <= DATE_FORMAT(DATE_SUB('{BASE_DT}', INTERVAL 7 DAY), '%Y-%m-%d')
   OR base_dt = '{BASE_DT}';
INSERT INTO credit_score_features_target ({", ".join(schema.MERGED_COLUMNS)})
SELECT '{BASE_DT}', l.id, l.customer_id, l.date, {_FEATURES}, l.credit_score
FROM credit_score_features f
JOIN (SELECT * FROM credit_score
      WHERE date BETWEEN DATE_SUB('{BASE_DT}', INTERVAL 1 MONTH) AND '{BASE_DT}') l
  ON f.id = l.id AND f.customer_id = l.customer_id;
COMMIT;
"""


def run(pairs: int) -> list[Comparison]:
    """Measure everything that concerns the feature store."""
    with server() as running:
        found = []
        for all_in_window in (False, True):
            store = database_with(running, _MERGED_ROWS, all_in_window=all_in_window)
            where = "all in the window" if all_in_window else "over 8 months"
            found.append(
                compare(
                    f"merge, {_MERGED_ROWS:,} labels {where}",
                    baseline=partial(client, store.url, _BARE_SQL),
                    ours=partial(store.merge, BASE_DT),
                    pairs=pairs,
                    at_most=1.15,
                )
            )
        store = database_with(running, _READ_ROWS, all_in_window=True)
        store.merge(BASE_DT)
        query = f"SELECT * FROM credit_score_features_target WHERE base_dt = '{BASE_DT}'"
        engine = sa.create_engine(store.url)
        found.append(
            compare(
                f"read a base date of {_READ_ROWS:,} rows",
                baseline=lambda: pd.read_sql(query, engine),
                ours=lambda: store.read(BASE_DT),
                pairs=pairs,
                at_least_faster=5,
            )
        )
        rows = store.read(BASE_DT)
        engine.dispose()
    with tempfile.TemporaryDirectory() as folder:
        found.append(
            limit(
                f"split, scale and write {_READ_ROWS:,} rows",
                lambda: _preprocess(rows, Path(folder)),
                at_most_seconds=5,
            )
        )
        found.append(
            limit(
                f"generate and load {_READ_ROWS:,} sample rows",
                lambda: _load_sample(Path(folder)),
                at_most_seconds=20,
            )
        )
    return found


def _preprocess(rows: pd.DataFrame, folder: Path) -> None:
    splits = split_by_customer(rows, 0.7, 0.15)
    scalers = fit_scalers(splits["train"])
    manager = ArtifactsIOManager(base_path=str(folder), model_name="m")
    files = {f"{name}.parquet": prepare(split, scalers) for name, split in splits.items()}
    manager.write("preprocessing/{model_name}/{base_dt}", BASE_DT, files)


def _load_sample(folder: Path) -> None:
    path = folder / "feature_store.db"
    path.unlink(missing_ok=True)
    labels, features = generate(_READ_ROWS, date.fromisoformat(BASE_DT), seed=0)
    store = FeatureStore(url=f"sqlite:///{path}")
    store.upsert({"credit_score": labels, "credit_score_features": features})
