"""Tables in the metadata of assets."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg


def table_of(records: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Records with the same fields as a table; a column is of numbers, booleans or text."""
    columns = {name: next((r[name] for r in records if r[name] is not None), "")
               for name in (records[0] if records else [])}  # fmt: skip
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(record)) for record in records],
        schema=dg.TableSchema(
            columns=[dg.TableColumn(name, _type(value)) for name, value in columns.items()]
        ),
    )


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "string"
