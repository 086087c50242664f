"""Rows for tests of the feature store, and how they get in and out."""

import pandas as pd
import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore


def labels(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Labels of id, customer, date and class."""
    return pd.DataFrame(rows, columns=schema.LABEL_COLUMNS)


def features(*rows: tuple[str, str, str | None, float]) -> pd.DataFrame:
    """Features of id, customer, date and age; the rest is NULL."""
    given = pd.DataFrame(rows, columns=[*schema.KEY, "age"])
    return given.reindex(columns=schema.FEATURE_COLUMNS).astype(
        dict.fromkeys(schema.NUMERIC, "float64")
    )


def load(store: FeatureStore, labels: pd.DataFrame, features: pd.DataFrame) -> None:
    """Write both source tables."""
    store.upsert({"credit_score": labels, "credit_score_features": features})


def dump(url: str, table: str = "credit_score_features_target") -> list[tuple]:
    """All rows of a table, in an order that does not depend on how they were written."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    columns = schema.MERGED_COLUMNS if table.endswith("target") else schema.FEATURE_COLUMNS
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}")
        return sorted(map(tuple, rows), key=str)
