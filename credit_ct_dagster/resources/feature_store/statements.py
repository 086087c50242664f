"""The statements of `features_target.sql`, with the columns of the schema and their values."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.sql import statements


def bound(dialect: Dialect, *names: str, **values: object) -> sa.TextClause:
    """Named statements of the merge, joined to one, with their values.

    Columns come from the schema, quoted where the dialect needs it; values are bind parameters.

    Args:
        dialect: Of the database that will execute them.
        names: Of the statements.
        values: By the names of their bind parameters; a list for `IN`.
    """

    def listed(columns: Sequence[str], table: str = "") -> str:
        return ", ".join(table + dialect.identifier_preparer.quote(name) for name in columns)

    named = statements("features_target.sql")
    clause = sa.text(
        "\n".join(named[name] for name in names).format(
            merged_columns=listed(schema.MERGED_COLUMNS),
            label_keys=listed(schema.KEY, "label."),
            features=listed(schema.FEATURES, "feature."),
        )
    )
    return clause.bindparams(
        *(sa.bindparam(k, v, expanding=isinstance(v, list)) for k, v in values.items())
    )
