"""The merge compared with the bare SQL, reading compared with pandas, and limits in seconds."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from benchmarks.bare_sql import merge_statements
from benchmarks.database import client, database_of, database_with, server
from benchmarks.measure import Comparison, compare, limit
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.windows import BASE_DT, TRAIN_SHARE, VAL_SHARE
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.partitions import day_after
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB


def run(plan: Plan) -> Findings:
    """Measure the feature store."""
    merged_rows, read_rows = plan.feature_store_rows
    bare_sql = _in_a_transaction(merge_statements(BASE_DT))
    with server() as running:
        found = []
        for all_in_window in (False, True):
            store = database_with(running, merged_rows, all_in_window=all_in_window)
            where = "all in the window" if all_in_window else "over 8 months"
            found.append(
                compare(
                    f"merge, {merged_rows:,} labels {where}",
                    baseline=partial(client, store.url, bare_sql),
                    ours=partial(store.merge, BASE_DT),
                    pairs=plan.pairs,
                    at_most=1.15,
                )
            )
        found.append(_with_histories(running, read_rows, plan.pairs))
        store = database_with(running, read_rows, all_in_window=True)
        store.merge(BASE_DT)
        query = f"SELECT * FROM credit_score_features_target WHERE base_dt = '{BASE_DT}'"
        engine = sa.create_engine(store.url)
        found.append(
            compare(
                f"read a base date of {read_rows:,} rows",
                baseline=lambda: pd.read_sql(query, engine),
                ours=lambda: store.read(BASE_DT),
                pairs=plan.pairs,
                at_least_faster=5,
            )
        )
        rows = store.read(BASE_DT)
        engine.dispose()
    with tempfile.TemporaryDirectory() as folder:
        found.append(
            limit(
                f"split, scale and write {read_rows:,} rows",
                lambda: _preprocess(rows, Path(folder)),
                at_most_seconds=5,
            )
        )
        found.append(
            limit(
                f"generate and load {read_rows:,} sample rows",
                lambda: _load_sample(Path(folder), read_rows),
                at_most_seconds=20,
            )
        )
    return Findings(found)


def _in_a_transaction(statements: Sequence[str]) -> str:
    return ";\n".join(["START TRANSACTION", *statements, "COMMIT;"])


def _with_histories(running: MariaDB, rows: int, pairs: int) -> Comparison:
    """Labels of the window whose features have changed every month: the newest known is taken.

    No target: the plain join, which is tried first, is rolled back.
    """
    labels, features = generate(rows, date.fromisoformat(BASE_DT), seed=0)
    labels["date"] = BASE_DT
    days = ["2025-06-30", "2025-07-31", BASE_DT, day_after(BASE_DT)]
    store = database_of(running, (labels, pd.concat([features.assign(date=day) for day in days])))
    bare_sql = _in_a_transaction(merge_statements(BASE_DT, histories=True))
    return compare(
        f"merge, {rows:,} labels, {len(days)} feature rows each",
        baseline=partial(client, store.url, bare_sql),
        ours=partial(store.merge, BASE_DT),
        pairs=pairs,
    )


def _preprocess(rows: pd.DataFrame, folder: Path) -> None:
    splits = split_by_customer(rows, TRAIN_SHARE, VAL_SHARE)
    scalers = fit_scalers(splits["train"])
    manager = ArtifactsIOManager(base_path=str(folder), model_name="m")
    files = {f"{name}.parquet": prepare(split, scalers) for name, split in splits.items()}
    manager.write("preprocessing/{model_name}/{base_dt}", BASE_DT, files)


def _load_sample(folder: Path, rows: int) -> None:
    path = folder / "feature_store.db"
    path.unlink(missing_ok=True)
    labels, features = generate(rows, date.fromisoformat(BASE_DT), seed=0)
    store = FeatureStore(url=f"sqlite:///{path}")
    store.upsert({"credit_score": labels, "credit_score_features": features})


GROUPS: dict[str, Callable[[Plan], Findings]] = {"feature_store": run}
