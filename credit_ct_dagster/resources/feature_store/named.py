"""The statements of `sql`, with the names of tables and columns that the schema declares."""

import re
from functools import cache

from credit_ct_dagster import sql
from credit_ct_dagster.modeling import schema

_NAME = re.compile("{(" + "|".join(schema.IN_SQL) + ")}")


@cache
def statements(file_name: str) -> dict[str, str]:
    """The statements of one SQL file, by name; see `sql.statements`.

    Args:
        file_name: Such as `features_target.sql`.
    """
    return {
        name: _NAME.sub(lambda found: schema.IN_SQL[found[1]], statement)
        for name, statement in sql.statements(file_name).items()
    }
