"""The tables, as they are created."""

import importlib

from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from credit_ct_dagster.resources.feature_store.tables import Tables


def test_numbers_are_float_whatever_the_process_has_imported() -> None:
    """Dagster's storage changes how SQLAlchemy compiles `Float` for MySQL."""
    importlib.import_module("dagster_mysql")
    sql = str(CreateTable(Tables.of_schema().target).compile(dialect=mysql.dialect()))
    assert "annual_income FLOAT," in sql
