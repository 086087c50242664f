"""Rows of the source tables found by keys that our own tables have: those are texts in UTF-8."""

from collections.abc import Sequence

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.shapes import ColumnShape, Holds


def is_row_of(sources: Sources, feature: str, score: str, of_scores: str | None) -> str:
    """Whether a row of the feature table has the whole key of a row of the table of scores.

    Args:
        sources: The source tables as they are.
        feature: The alias of the feature table; an index that begins with the id serves it.
        score: The alias of the other one.
        of_scores: The collation of its keys.
    """
    columns = sources.features.columns
    conditions = [
        _equal(sources, columns[name], f"{feature}.{name}", f"{score}.{name}", of_scores)
        for name in (schema.ID, schema.CUSTOMER)
    ]
    date, day = columns[schema.DATE], sources.value(feature, sources.features, schema.DATE)
    of_score = f"{score}.{schema.DATE}"
    if day == f"{feature}.{schema.DATE}":
        conditions.append(_equal(sources, date, day, of_score, of_scores))
    else:
        conditions.append(f"{sources.as_bytes(day)} = {sources.as_bytes(of_score)}")
    return " AND ".join(conditions)


def is_among(sources: Sources, feature: str, texts: Sequence[str]) -> str:
    """Whether the customer of a row of features is one of some; what it takes for equal is, too.

    An index that begins with the customer serves it, which a comparison byte by byte rules out.
    """
    shape = sources.features.columns[schema.CUSTOMER]
    listed = [sources.text(each) for each in texts]
    if shape.holds != Holds.text or shape.charset != "utf8mb4":
        listed = [_as_stored(sources, shape, each) for each in listed]
    return f"{feature}.{schema.CUSTOMER} IN ({', '.join(listed)})"


def _equal(
    sources: Sources, shape: ColumnShape, stored: str, other: str, collation: str | None
) -> str:
    exactly = f"{sources.as_bytes(stored)} = {sources.as_bytes(other)}"
    same = shape.collation == collation
    if sources.features.is_sqlite or (shape.holds == Holds.text and same):
        is_enough = shape.is_exact and not sources.features.is_sqlite
        return f"{stored} = {other}" if is_enough else f"{stored} = {other} AND {exactly}"
    return f"{stored} = {_as_stored(sources, shape, other)} AND {exactly}"


def _as_stored(sources: Sources, shape: ColumnShape, text: str) -> str:
    """A text in the type of a column, so that an index on it can be used."""
    if sources.features.is_sqlite:
        return f"CAST({text} AS BLOB)" if shape.holds == Holds.bytes else text
    if shape.holds == Holds.whole:
        return f"CAST({text} AS SIGNED)"
    if shape.holds == Holds.bytes:
        return f"CAST(CONVERT({text} USING utf8mb4) AS BINARY)"
    # What the charset lacks becomes a question mark, where a comparison would fail.
    return f"CONVERT({text} USING {shape.charset}) COLLATE {shape.collation}"
