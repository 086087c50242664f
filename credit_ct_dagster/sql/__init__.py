"""SQL, as `.sql` files of named statements."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements(file_name: str) -> dict[str, str]:
    """The statements of one SQL file, by the name on the `-- name:` line above each.

    Names of tables and columns, and lists of them, are placeholders such as `{labels_table}` and
    `{merged_columns}`, for `str.format`.

    Args:
        file_name: A file of this folder, such as `features_target.sql`.
    """
    _, *parts = _NAME.split((files("credit_ct_dagster.sql") / file_name).read_text())
    return {
        name: sql.strip().rstrip(";") for name, sql in zip(parts[::2], parts[1::2], strict=True)
    }
