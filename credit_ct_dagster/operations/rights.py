"""The SQL by which a server knows the stack's users: databases, tables and rights, as declared."""

import re
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.engine import Dialect

from credit_ct_dagster.databases import create_statements
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.arrival_lines import ARRIVALS
from credit_ct_dagster.resources.feature_store.scores import SCORES
from credit_ct_dagster.resources.feature_store.tables import (
    FEATURES,
    LABELS,
    TRAINING_ROWS,
    Tables,
)
from credit_ct_dagster.serving.log.table import NAME as PREDICTIONS
from credit_ct_dagster.serving.log.table import predictions_table

_DATABASES = """\
-- Databases and tables, and the only rights that each user has in them. The users exist already.
-- `credit-ct rights` prints this, with the tables and columns that DATA_SCHEMA declares; for MySQL
-- with --mysql. On a server that is not the stack's own, a DBA creates the users and executes it.
-- Executed again after a release, it adds what is new, and changes nothing else.

CREATE DATABASE IF NOT EXISTS mlops CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS dagster CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS mlflow CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS optuna CHARACTER SET utf8mb4;
USE mlops;
"""

_PLATFORM = f"""
-- The platform reads labels and features, and replaces training rows. With CREATE, the right can be
-- granted before the table exists; whoever needs the table first creates it. With ALTER, the first
-- merge of a release that has a new feature adds its column.
GRANT SELECT ON mlops.* TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE, ALTER ON mlops.{TRAINING_ROWS} TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE ON mlops.{SCORES} TO 'feature_store'@'%';

-- Sensors and `credit-ct load` add to the ledger of arrivals; nobody changes or deletes a line.
GRANT INSERT, CREATE ON mlops.{ARRIVALS} TO 'feature_store'@'%';
GRANT INSERT, CREATE ON mlops.{ARRIVALS} TO 'feature_loader'@'%';

-- `credit-ct load` writes labels and features, and no training rows.
GRANT SELECT ON mlops.* TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.{LABELS} TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.{FEATURES} TO 'feature_loader'@'%';
GRANT CREATE ON mlops.{TRAINING_ROWS} TO 'feature_loader'@'%';

-- Each creates and migrates the tables of a database of its own.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP
  ON dagster.* TO 'dagster'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP, TRIGGER
  ON mlflow.* TO 'mlflow'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP
  ON optuna.* TO 'optuna'@'%';
"""

_SERVICE = """
-- The service looks features up, and adds to its log; it changes and deletes nothing. It cannot
-- read {personal}labels, training rows and scores.
-- REFERENCES shows it how the tables are defined, and no row. When a release adds a feature,
-- execute this again once the table has the column.
GRANT REFERENCES ON mlops.* TO 'serving'@'%';
GRANT SELECT (
  {columns}
) ON mlops.{features} TO 'serving'@'%';
GRANT SELECT, INSERT ON mlops.{predictions} TO 'serving'@'%';

-- `credit-ct prune` deletes predictions that are older than PREDICTIONS_KEEP_DAYS.
GRANT DELETE ON mlops.{predictions} TO 'feature_store'@'%';
"""


def rights(*, for_mysql: bool = False) -> str:
    """The statements, with comments, for MariaDB's own client and any other one.

    Args:
        for_mysql: In the words of MySQL 8.0.17 and newer instead of MariaDB's.

    Raises:
        SettingsError: A name of DATA_SCHEMA is a word of SQL.
    """
    dialect: Dialect = mysql.dialect() if for_mysql else MariaDBDialect()
    if for_mysql:
        dialect.server_version_info = (8, 0, 17)
    tables = Tables.of_schema()
    quoted = dialect.identifier_preparer.quote
    personal = f"personal data ({', '.join(schema.PERSONAL)}), " if schema.PERSONAL else ""
    service = _SERVICE.format(
        personal=personal,
        columns=",\n  ".join(
            quoted(name) for name in schema.FEATURE_COLUMNS if name not in schema.PERSONAL
        ),
        features=FEATURES,
        predictions=PREDICTIONS,
    )
    return "".join(
        [
            _DATABASES,
            _PLATFORM,
            "\n-- The log of the service.\n",
            _created([predictions_table()], dialect),
            "\n-- As `credit-ct load` would create it: rights on columns need the table."
            " An existing one stays as it is.\n",
            _created([tables.features], dialect),
            service,
        ]
    )


def _created(tables: Iterable[sa.Table], dialect: Dialect) -> str:
    """The statements that create tables, one column per line."""
    made = [each for table in tables for each in create_statements(table, dialect)]
    return "".join(
        re.sub(r", *\n", ",\n", each).replace("\t", "  ").replace("\n)E", "\n) E") + ";\n"
        for each in made
    )
