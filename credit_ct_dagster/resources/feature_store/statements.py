"""The statements of `features_target.sql`, with the columns of the schema and their values."""

import re

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow, day_after
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.named import statements

ONLY_LATER_FEATURES = ("only_later_features", "newest_labels")
"""Continue a statement on labels: those that have features, but none at their point in time."""


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


def selection(*, point_in_time: bool, newest_only: bool) -> list[str]:
    """The names of the statements that select the rows of a base date.

    Args:
        point_in_time: Whether features must be dated on or before their label's day.
        newest_only: Whether one row is chosen where an id and customer has several.
    """
    names = ["joined_rows", *(["known_features"] if point_in_time else [])]
    if newest_only:
        names += ["newest_labels", "newest_known_features" if point_in_time else "newest_features"]
    return names


def window_values(window: LabelWindow) -> dict[str, object]:
    """A label window, as the statements name it."""
    return {
        "window_start": window.start.isoformat(),
        "window_after": day_after(window.end.isoformat()),
        "window_days": window.days,
    }
