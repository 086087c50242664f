"""What all databases have in common: their URLs, and texts that are compared exactly."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeDecorator, TypeEngine

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


def kind_of(text: str) -> str:
    """What Dagster calls the kind of a database: `sqlite`, `mysql` or `mariadb`.

    Args:
        text: Its URL. Of one that cannot be used, nothing is known but `sql`: who opens it says so.
    """
    try:
        return parse_url(text, "").get_backend_name()
    except DatabaseUrlError:
        return "sql"


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite database, absolute; none for a server."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def location(url: sa.URL) -> str:
    """A URL without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def create_sqlite_file(file: Path) -> None:
    """Create the file of a SQLite database where there is none, and its folder.

    Raises:
        OSError: It cannot be created.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():  # rows of customers are readable by this user only
        file.touch(mode=0o600)


class KeyText(TypeDecorator[str]):
    """A text of a key: two are equal only if all their characters are, trailing blanks included."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int | None) -> None:
        """A text of at most so many characters."""
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """By a collation on servers; SQLite compares like this by itself."""
        length = self.length
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(length))
        return dialect.type_descriptor(
            mysql.VARCHAR(length, charset="utf8mb4", collation=exact_collation(dialect))
        )


def exact_collation(dialect: Dialect) -> str:
    """A collation of the server by which different texts are never equal."""
    if getattr(dialect, "is_mariadb", False):
        return "utf8mb4_nopad_bin"
    version = dialect.server_version_info or ()
    # Older servers have none that compares trailing blanks.
    return "utf8mb4_0900_bin" if version >= (8, 0, 17) else "utf8mb4_bin"


def create_statements(table: sa.Table, dialect: Dialect) -> list[str]:
    """The statements that create a missing table with its indexes: on servers a single one.

    Args:
        table: The table.
        dialect: Of a connection, which knows the server's version.
    """
    create = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip()
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    if dialect.name == "sqlite":
        made = (CreateIndex(index, if_not_exists=True) for index in indexes)
        return [create, *(str(each.compile(dialect=dialect)) for each in made)]
    body, _, options = create.rpartition("\n)")
    keys = "".join(
        f", \n\tKEY {index.name} ({', '.join(column.name for column in index.columns)})"
        for index in indexes
    )
    return [f"{body}{keys}\n){options}"]
