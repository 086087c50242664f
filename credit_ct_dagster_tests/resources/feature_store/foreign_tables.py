"""Source tables as other systems make them: other collations, other types."""

import pandas as pd
import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB

LATIN = "CHARACTER SET latin1 COLLATE latin1_swedish_ci"
"""The default of a MariaDB server of the past."""


def create(
    mariadb: MariaDB, types: dict[str, str] | None = None, key: str = "VARCHAR(10)"
) -> FeatureStore:
    """A feature store whose source tables were created by somebody else.

    Args:
        mariadb: The server.
        types: Of single columns, by name.
        key: The type of the other columns of the key.
    """
    url = mariadb.new_database()

    def of(name: str) -> str:
        default = "FLOAT" if name in schema.NUMERIC else "VARCHAR(255)"
        default = f"{key} NOT NULL" if name in schema.KEY else default
        return f"{name} {(types or {}).get(name, default)}"

    for table, columns in (
        ("credit_score", schema.LABEL_COLUMNS),
        ("credit_score_features", schema.FEATURE_COLUMNS),
    ):
        listed = ", ".join(map(of, columns))
        mariadb.execute(
            f"CREATE TABLE {table} ({listed}, PRIMARY KEY (id, customer_id, date))", url=url
        )
    return FeatureStore(url=url)


def insert(store: FeatureStore, table: str, frame: pd.DataFrame) -> None:
    """Insert rows past the platform."""
    with store.database.engine.begin() as connection:
        frame.to_sql(table, connection, if_exists="append", index=False)


def by_pandas(store: FeatureStore, labels: pd.DataFrame, features: pd.DataFrame) -> None:
    """Create and fill the source tables with pandas' own types."""
    with sa.create_engine(store.url, poolclass=sa.NullPool).begin() as connection:
        labels.to_sql("credit_score", connection, index=False)
        features.to_sql("credit_score_features", connection, index=False)
