"""Tables in the metadata of assets."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from credit_ct_dagster.contracts.decision import Comparison, Estimate
from credit_ct_dagster.contracts.drift import MissingDrift
from credit_ct_dagster.rounding import signed

MOST_ROWS = 10
"""Of a table in the metadata: the page of events loads those of a hundred base dates at once."""


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


def shown_table(name: str, records: Sequence[Mapping[str, Any]], all_in: str) -> dict[str, Any]:
    """The first rows of a table, as metadata under a name; nothing of a table without rows.

    Args:
        name: Of the metadata.
        records: The most important ones first.
        all_in: Where a person finds those that are not shown.
    """
    if not records:
        return {}
    shown: dict[str, Any] = {name: table_of(records[:MOST_ROWS])}
    if len(records) > MOST_ROWS:
        shown[f"{name}_shown"] = f"{MOST_ROWS} of {len(records)}; all are in {all_in}"
    return shown


def counts_table(
    name: str, of: str, counts: Mapping[str, float | int], all_in: str, what: str = "rows"
) -> dict[str, Any]:
    """Numbers by name as a table of two columns, the highest first and without those that are 0.

    Args:
        name: Of the metadata.
        of: What the names are, for the first column.
        counts: The numbers.
        all_in: Where a person finds those that are not shown.
        what: What they are, for the second column.
    """
    rows = [
        {of: key, what: rounded(value)}
        for key, value in sorted(counts.items(), key=lambda each: -each[1])
        if value
    ]
    return shown_table(name, rows, all_in)


def compared_row(found: Comparison) -> dict[str, Any]:
    """What two models reach on the same rows, in a row of a table."""
    return {
        "metric": found.metric.value,
        "this_model": rounded(found.challenger),
        "champion": rounded(found.champion),
        **better_by(found.difference),
        "rows": found.rows,
    }


def better_by(difference: Estimate) -> dict[str, Any]:
    """A difference with its interval, in two columns of a table."""
    return {
        "better_by": rounded(difference.value),
        "interval": f"{signed(difference.low)} to {signed(difference.high)}",
    }


def interval(of: Estimate) -> str:
    """Of a share or a metric; one column, as tables wider than their page hide what is right."""
    return f"{of.low:.4f} to {of.high:.4f}"


def moved(missing: MissingDrift | None) -> str | None:
    """The share of missing values before and now; one column, as an interval."""
    return f"{missing.reference:.4f} to {missing.current:.4f}" if missing else None


def version_of(bentoml_tag: str) -> str:
    """What tells the packages of a model apart: the name before it is as wide as a table."""
    return bentoml_tag.rpartition(":")[2]


def rounded(value: float | None) -> float | None:
    """For people: four decimals; exact ones are in the files."""
    return value if value is None or isinstance(value, int) else round(float(value), 4)


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "string"
