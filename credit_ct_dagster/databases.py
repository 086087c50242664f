"""What all databases have in common: their URLs."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from credit_ct_dagster.errors.inputs import DatabaseUrlError

_SUPPORTED = {"sqlite", "mysql", "mariadb"}


def parse_url(text: str, variable: str) -> sa.URL:
    """The URL of a database that the platform supports; MySQL's is read by PyMySQL.

    Args:
        text: The value of an environment variable.
        variable: Its name, for a person.

    Raises:
        DatabaseUrlError: It is no such URL; the value, which may hold a password, is not repeated.
    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(
            f"{variable} is not a database URL: write sqlite:///file.db"
            " or mysql+pymysql://user:secret@host:3306/mlops."
        ) from None
    if url.get_backend_name() not in _SUPPORTED:
        raise DatabaseUrlError(
            f"{variable} names '{url.get_backend_name()}': only sqlite, mysql and mariadb are"
            " supported."
        )
    if url.drivername in {"mysql", "mariadb"}:
        return url.set(drivername="mysql+pymysql")
    return url


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite database, absolute; none for a server."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def location(url: sa.URL) -> str:
    """A URL without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)
