"""SQL that SQLite writes in another way than MySQL and MariaDB."""

from sqlalchemy.engine import Dialect

_SEOUL_HOURS = 9
"""Ahead of UTC; there has been no daylight saving time in Seoul since 1988."""


def literal(text: str, sqlite: bool) -> str:
    """A text that stands in a statement: its bytes, without quotes, colons or percent signs."""
    digits = text.encode().hex()
    # An introducer leaves the collation to the column that it is compared with.
    return f"CAST(X'{digits}' AS TEXT)" if sqlite else f"_utf8mb4 X'{digits}'"


def as_bytes(expression: str, sqlite: bool) -> str:
    """A text that is compared byte by byte."""
    return expression if sqlite else f"CAST({as_utf8(expression, sqlite)} AS BINARY)"


def as_utf8(expression: str, sqlite: bool) -> str:
    """A text in the one encoding by which checksums are computed."""
    return expression if sqlite else f"CONVERT({expression} USING utf8mb4)"


def as_text(document: str, sqlite: bool) -> str:
    """A JSON document as text; MySQL has a type of its own for it."""
    return document if sqlite else f"CAST({document} AS CHAR)"


def value_of(column: str, name: str, dialect: Dialect) -> str:
    """A value of a JSON object as a text, NULL where JSON has null."""
    path = f"{column}, '$.{name}'"
    if dialect.name == "sqlite":
        return f"JSON_EXTRACT({path})"
    if getattr(dialect, "is_mariadb", False):
        # It reads no further than to the value: a sixth of the time of JSON_EXTRACT.
        return f"CAST(JSON_VALUE({path}) AS CHAR)"
    extracted = f"JSON_EXTRACT({path})"
    return f"IF(JSON_TYPE({extracted}) = 'NULL', NULL, CAST(JSON_UNQUOTE({extracted}) AS CHAR))"


def microseconds(moment: str, sqlite: bool) -> str:
    """A moment as microseconds since 1970, whatever time zone the session has."""
    if not sqlite:
        return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {moment})"
    fraction = f"CAST(SUBSTR({moment} || '000000', 21, 6) AS INTEGER)"
    # Whole seconds: it would round up the last half of a millisecond.
    return f"CAST(STRFTIME('%s', SUBSTR({moment}, 1, 19)) AS INTEGER) * 1000000 + {fraction}"


def day_in_seoul(moment: str, sqlite: bool) -> str:
    """The prediction day of a moment in UTC, as a text."""
    if sqlite:
        # Likewise.
        return f"DATE(SUBSTR({moment}, 1, 19), '+{_SEOUL_HOURS} hours')"
    return f"CAST(CAST({moment} + INTERVAL {_SEOUL_HOURS} HOUR AS DATE) AS CHAR)"


def rounded(milliseconds: str) -> str:
    """As in `ServedAnswers.volumes`: a day has few different values, whatever quantile is asked."""
    return (
        f"CASE WHEN {milliseconds} < 100 THEN ROUND({milliseconds}, 1)"
        f" WHEN {milliseconds} < 1000 THEN ROUND({milliseconds})"
        f" ELSE ROUND({milliseconds} / 10) * 10 END"
    )
