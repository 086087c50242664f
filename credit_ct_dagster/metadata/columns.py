"""Columns on the asset pages: what they mean, and where they come from."""

from collections.abc import Mapping, Sequence

import dagster as dg

from credit_ct_dagster.modeling import schema


def column_schema(
    names: Sequence[str], sources: Mapping[str, Sequence[str]] | None = None
) -> dict[str, dg.TableSchema | dg.TableColumnLineage]:
    """Metadata that lists columns with types, descriptions and sources.

    Args:
        names: The columns.
        sources: Per asset that some of them come from, those, which have the same names there. As
            lineage, and as tags: Dagster's open-source UI does not draw the lineage of columns.
    """
    origins = {column: asset for asset, found in (sources or {}).items() for column in found}
    columns = [
        dg.TableColumn(
            column.name,
            "float" if column.kind == schema.Kind.number else "string",
            description=column.description,
            tags={"from": origins[column.name]} if column.name in origins else None,
        )
        for column in map(schema.COLUMNS.__getitem__, names)
    ]
    found: dict[str, dg.TableSchema | dg.TableColumnLineage] = {
        "dagster/column_schema": dg.TableSchema(columns=columns)
    }
    if origins:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=column)]
                for column, asset in origins.items()
            }
        )
    return found
