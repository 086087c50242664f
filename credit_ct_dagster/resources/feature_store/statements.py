"""The statements of `features_target.sql`, with the columns of the schema and their values."""

import re

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow, day_after
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.sql import statements


def bound(
    dialect: Dialect, *names: str, sources: Sources | None = None, **values: object
) -> sa.TextClause:
    """Named statements of the merge, joined to one, with their values.

    Columns come from the schema, quoted where the dialect needs it; values are bind parameters.

    Args:
        dialect: Of the database that will execute them.
        names: Of the statements.
        sources: The source tables as they are, for statements that read them.
        values: By the names of their bind parameters; a list for `IN`. Those that the statements
            do not have are left out.
    """
    quote = dialect.identifier_preparer.quote
    named = statements("features_target.sql")
    sql = "\n".join(named[name] for name in names).format(
        merged_columns=", ".join(map(quote, schema.MERGED_COLUMNS)),
        **(sources.substitutions() if sources else {}),
    )
    used = set(re.findall(r":(\w+)", sql))
    return sa.text(sql).bindparams(
        *(
            sa.bindparam(name, value, expanding=isinstance(value, list))
            for name, value in values.items()
            if name in used
        )
    )


def window_values(window: LabelWindow) -> dict[str, object]:
    """A label window, as the statements name it."""
    return {
        "window_start": window.start.isoformat(),
        "window_after": day_after(window.end.isoformat()),
        "window_days": window.days,
    }
