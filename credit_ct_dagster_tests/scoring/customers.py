"""What the tests of scoring share."""

import json
from typing import Any

import pandas as pd
import sqlalchemy as sa

from credit_ct_dagster.resources.feature_store.store import FeatureStore

DAY = "2025-03-10"
MODEL = "m"
ROWS = 450


def scores_of(store: FeatureStore, base_dt: str = DAY) -> pd.DataFrame:
    """The scores of a base date, by the order of their keys; JSON as values."""
    query = sa.text("SELECT * FROM credit_customer_scores WHERE base_dt = :day")
    with store.database.transaction() as connection:
        found = pd.read_sql(query, connection, params={"day": base_dt})
    for name in ("reasons", "compliance_flags"):
        found[name] = found[name].map(_values)
    return found.sort_values("id").reset_index(drop=True)


def _values(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def execute(store: FeatureStore, *statements: str) -> None:
    """Change the feature store, as another system does."""
    with store.database.transaction(writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
