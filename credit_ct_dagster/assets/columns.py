"""Column descriptions for the asset pages."""

import dagster as dg

from credit_ct_dagster.modeling import schema


def column_schema(names: list[str]) -> dict[str, dg.TableSchema]:
    """Metadata that lists columns with types and descriptions."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    column.name,
                    "float" if column.kind == schema.Kind.number else "string",
                    description=column.description,
                )
                for column in map(schema.COLUMNS.__getitem__, names)
            ]
        )
    }
