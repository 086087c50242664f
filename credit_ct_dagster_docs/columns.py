"""The page of the columns: what CSV files and the two source tables hold."""

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import Column
from credit_ct_dagster_docs import markdown as md


def page() -> str:
    """The columns of both files, in the order of the tables, and the rules for their values."""
    tables = schema.DECLARED.tables
    return md.page(
        "Columns of the data",
        "What `credit-ct load` takes, and what the two source tables hold, by the declaration that"
        " is shipped with the platform (`credit_ct_dagster/modeling/credit_score.yaml`)."
        " [Other data](../how-to/own-data.md) are declared the same way.",
        "CSV files have these columns in this order, or a header and any order. An empty cell is a"
        " missing value. Rows that break a rule are put aside with all reasons in"
        " `quarantine.parquet`, and requests that do so are refused.",
        f"## `{tables.labels}`: the labels",
        _table(schema.LABEL_COLUMNS),
        f"Classes, from worst to best: {', '.join(schema.CLASSES)}.",
        f"## `{tables.features}`: the features",
        _table(schema.FEATURE_COLUMNS),
        "`protected`: a reason that rests on it raises a compliance flag. `risk rises`: the bank"
        " declares that risk rises with the number; what `monotone: true` obeys. `groups`: every"
        " model is measured per group of it.",
    )


def _table(names: list[str]) -> str:
    rows = [
        [
            md.code(column.name), column.kind.value, md.text(column.description), _rules(column),
            md.code("" if column.example is None else str(column.example)),
        ]
        for column in (schema.COLUMNS[name] for name in names)
    ]  # fmt: skip
    return md.table(["column", "kind", "what it is", "rules", "example"], rows)


def _rules(column: Column) -> str:
    found = []
    if column.low is not None or column.high is not None:
        ends = ["" if end is None else f"{end:,.10g}" for end in (column.low, column.high)]
        found.append(f"{ends[0]} to {ends[1]}" if all(ends) else f"from {ends[0]}{ends[1]}")
    if column.words:
        found.append(f"one of {', '.join(column.words)}")
    elif column.length:
        found.append(f"{column.length} characters")
    found += [f"risk {column.risk}"] if column.risk else []
    found += ["groups"] if column.is_grouped else []
    found += ["protected"] if column.protected else []
    return "; ".join(found)
