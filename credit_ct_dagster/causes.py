"""What a library or a server itself reported, below what it was wrapped in."""

import errno
import re
from collections.abc import Iterator
from typing import Any

from credit_ct_dagster.modeling import schema

# https://mariadb.com/kb/en/mariadb-error-code-reference/
_NO_ANSWER = {1020, 1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055}
_UNKNOWN_COLUMN = 1054
_LOAD_FIRST = "load labels and features first (credit-ct load)"
_DOCTOR = "credit-ct doctor names the table, what is expected of it and the ALTER TABLE statement"
_TABLES = schema.DECLARED.tables
_SOURCES = f"{_TABLES.labels} and {_TABLES.features}"
_WAY_OUT = {
    1044: "grant the user rights on this database",
    1045: "check user and password in FEATURE_STORE_URL",
    1049: "create the database, or correct its name in FEATURE_STORE_URL",
    1142: "grant the user this right",
    1146: _LOAD_FIRST,
    **dict.fromkeys(
        [1062, 1586],
        f"give the table its key, ({', '.join(schema.KEY)}) for {_SOURCES} and"
        f" ({schema.BASE_DATE}, {schema.ID}, {schema.CUSTOMER}) for {_TABLES.training_rows}, with a"
        f" binary collation: {_DOCTOR}",
    ),
    **dict.fromkeys(
        [1267, 1270, 1271],
        f"give {schema.ID} and {schema.CUSTOMER} of {_SOURCES} one binary collation,"
        f" such as utf8mb4_bin: {_DOCTOR}",
    ),
    1364: f"ALTER TABLE ... MODIFY that column with NULL or a DEFAULT: {_DOCTOR}",
    1048: f"ALTER TABLE ... MODIFY that column with NULL, or load a value for it: {_DOCTOR}",
    **dict.fromkeys(
        [1264, 1265, 1292, 1366, 1406],
        "correct the value, or ALTER TABLE ... MODIFY that column so that it can hold it:"
        f" {_DOCTOR}",
    ),
}
_MLFLOW_REFUSALS = {"INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST"}
_REFUSALS = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS}
_DENIED = {1044, 1142, 1143}
_QUOTES_VALUES = {1062, 1292, 1366}
_TABLE_FULL = {1021, 1114}

_NO_BUCKET = r"(bucket|container) does not exist|NoSuchBucket|ContainerNotFound"
_DISK_FULL = re.compile(r"disk is full|disk full|no space left|disk quota exceeded", re.IGNORECASE)
_NOT_THE_CAUSE = re.compile(r"\(raised as a result of |\[SQL: |\(Background on this error")
_DRIVER = re.compile(r"^\((?:\w+\.)+\w+\) ")


def server_code(error: BaseException | None) -> int | None:
    """The number that a MySQL or MariaDB server gave a failure, if it gave one."""
    arguments: tuple[Any, ...] = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if len(arguments) > 1 and isinstance(arguments[0], int) else None


def is_denied(error: BaseException | None) -> bool:
    """Whether a database failed because the user lacks a right."""
    return server_code(error) in _DENIED


def names_missing_bucket(error: BaseException) -> bool:
    """Whether an object store reported that a bucket does not exist, rather than an object."""
    return re.search(_NO_BUCKET, str(error)) is not None


def is_disk_full(error: BaseException) -> bool:
    """Whether a full disk is what began a failure, however it was wrapped."""
    return any(_says_disk_full(each) for each in _chain(error))


def does_not_answer(error: BaseException) -> bool:
    """Whether a database may answer later."""
    return (
        server_code(error) in _NO_ANSWER
        or bool(getattr(error, "connection_invalidated", False))
        or "database is locked" in str(error)
    )


def lacks_column(error: BaseException) -> bool:
    """Whether a database failed because a column does not exist."""
    return server_code(error) == _UNKNOWN_COLUMN or "no such column" in str(error)


def way_out(error: BaseException) -> str:
    """What a person does when a database refused a statement."""
    if "no such table" in str(error):
        return _LOAD_FIRST
    return _WAY_OUT.get(server_code(error) or 0, "see the message for the cause")


def mlflow_refused(error: BaseException) -> bool:
    """Whether MLflow would refuse the request again."""
    return getattr(error, "error_code", None) in _MLFLOW_REFUSALS


def is_refusal(error: BaseException) -> bool:
    """Whether a store refused access, by the number that the operating system has for it."""
    return getattr(error, "errno", None) in _REFUSALS


def cause_of(error: BaseException | None) -> str:
    """What a library or a server reported, in one line, without values of rows or passwords."""
    if error is None:
        return ""
    chain = list(_chain(error))
    texts = [text for each in chain if (text := _own_text(each))]
    full = next((_own_text(each) for each in chain if _says_disk_full(each)), None)
    text = full or next(iter(texts), type(error).__name__)
    return re.sub(r"//[^@/\s]*@", "//***@", text).rstrip(".")


def _says_disk_full(error: BaseException) -> bool:
    return (
        getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}
        or server_code(error) in _TABLE_FULL
        or _DISK_FULL.search(_own_text(error)) is not None
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from or while they were handled."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _own_text(error: BaseException) -> str:
    """The first line of a message that says anything."""
    original = getattr(error, "orig", None)
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    text = str(
        arguments[-1]
        if arguments
        else original or getattr(error, "strerror", None) or _first_of_several(error) or error
    )
    if server_code(error) in _QUOTES_VALUES:
        text = re.sub(r"'.*?' for", "a value for", text)
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not _NOT_THE_CAUSE.match(line)), "")
    return _DRIVER.sub("", first)


def _first_of_several(error: BaseException) -> str | None:
    """Why the first file could not be copied: `shutil.Error` lists (from, to, why) for each."""
    failed = error.args[0] if error.args else None
    if isinstance(failed, list) and failed and isinstance(failed[0], tuple):
        return f"{failed[0][-1]} ({len(failed)} files)" if failed[0] else None
    return None
