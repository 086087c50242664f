"""The quarantine of rows that break a rule.

The rules are a pandera schema, derived from the columns of `schema` and from `row_rules`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.errors.inputs import RowTypesError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import WORDS_FOR_MISSING
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.rounding import told_apart

if TYPE_CHECKING:
    import pandera.pandas as pa

# pandera takes a second to import; definitions import this module, and only a check needs it.

REASONS = "reasons"
"""Column of quarantined rows: the rules that a row breaks, separated by semicolons."""

_UNIQUE = [schema.ID, schema.CUSTOMER]
_MERGED = (
    "merged rows",
    "Correct the tables of the feature store, then materialize features_target for this base date"
    " again.",
)
_FEATURES = (
    "feature rows",
    f"Correct the table {schema.DECLARED.tables.features}, then score this base date again.",
)
"""What rows are, and what corrects them when a column is missing or of another type."""


@dataclass(frozen=True)
class CheckedRows:
    """Rows, by whether they may be trained on.

    Attributes:
        accepted: Those that break no rule.
        quarantined: The others, with their `REASONS`.
        per_rule: How many rows break each rule; a row may break several.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    per_rule: Mapping[str, int]

    @property
    def quarantined_share(self) -> float:
        """Of all rows, 0 to 1."""
        return len(self.quarantined) / max(1, len(self.accepted) + len(self.quarantined))

    def sentence(self, *limits: float) -> str:
        """A summary for alerts, the most broken rule first; it quotes no value of a row.

        Args:
            limits: What the share of quarantined rows is compared with.
        """
        if self.quarantined.empty:
            return f"All {len(self.accepted):,} rows satisfy every rule."
        rules = "; ".join(f"{rule} ({rows:,} rows)" for rule, rows in self.per_rule.items())
        total = len(self.accepted) + len(self.quarantined)
        share = told_apart(".2%", self.quarantined_share, *limits)
        return f"{len(self.quarantined):,} of {total:,} rows ({share}) break a rule: {rules}."


def check_rows(rows: pd.DataFrame, rules: RowRules) -> CheckedRows:
    """Divide merged rows into those that may be trained on and those that may not.

    Words of blanks count as missing, and blanks around a word do not make it another one.

    Args:
        rows: Columns `schema.MERGED_COLUMNS`.
        rules: What a row must satisfy.

    Raises:
        RowTypesError: A column is missing, or holds another type of value than its kind.
    """
    return _checked(rows, rules, schema.MERGED_COLUMNS, _UNIQUE, _MERGED)


def check_features(
    rows: pd.DataFrame, rules: RowRules, features: Sequence[str] = tuple(schema.FEATURES)
) -> CheckedRows:
    """Divide rows of the feature table into those that may be scored and those that may not.

    The rules are those of `check_rows`, without those for labels and base dates.

    Args:
        rows: Columns `schema.KEY` and `schema.FEATURES`; others stay as they are.
        rules: What a row must satisfy; the bounds are those of the model that scores.
        features: Those that the model takes: what it ignores may hold anything. [default: all]

    Raises:
        RowTypesError: A column is missing, or holds another type of value than its kind.
    """
    return _checked(rows, rules, [*schema.KEY, *features], schema.KEY, _FEATURES)


def pandera_schema(
    rules: RowRules,
    columns: Sequence[str] = tuple(schema.MERGED_COLUMNS),
    unique: Sequence[str] = tuple(_UNIQUE),
) -> "pa.DataFrameSchema":
    """The rules for rows.

    Args:
        rules: What a row must satisfy.
        columns: Which are checked.
        unique: Which of them, together, are those of one row only.
    """
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {name: _column(schema.COLUMNS[name], rules) for name in columns}, unique=list(unique)
    )


def _checked(
    rows: pd.DataFrame,
    rules: RowRules,
    columns: Sequence[str],
    unique: Sequence[str],
    described: tuple[str, str],
) -> CheckedRows:
    import pandera.pandas as pa

    rows = with_blanks_missing(rows.reset_index(drop=True))
    try:
        pandera_schema(rules, columns, unique).validate(rows, lazy=True)
    except pa.errors.SchemaErrors as error:
        broken = _broken(error.failure_cases, unique, described)
        bad = rows.loc[broken.index].assign(**{REASONS: broken})
        counts = broken.str.split("; ").explode().value_counts()
        accepted = rows.drop(index=broken.index).reset_index(drop=True)
        return CheckedRows(
            accepted, bad.reset_index(drop=True), {str(rule): int(n) for rule, n in counts.items()}
        )
    return CheckedRows(rows, rows.iloc[:0].assign(**{REASONS: pd.Series(dtype=object)}), {})


def _column(column: schema.Column, rules: RowRules) -> "pa.Column":
    import pandera.pandas as pa

    name = column.name
    checks = []
    # Nearly every row has a key, and a list of things, of its own.
    repeats = name not in _UNIQUE and column.separator is None
    once = _each_once if repeats else _as_it_is
    if column.kind == schema.Kind.number:
        bounds = rules.bounds_of(name)
        low = -np.inf if bounds.low is None else bounds.low
        high = np.inf if bounds.high is None else bounds.high
        checks.append(
            pa.Check(
                lambda values: np.isfinite(values) & values.between(low, high),
                error=f"{name} must be {bounds}",
            )
        )
    if name in (schema.DATE, schema.BASE_DATE):
        checks.append(
            pa.Check(once(_is_day), error=f"{name} must be a day that exists, YYYY-MM-DD")
        )
    if name in schema.WORDS or column.kind == schema.Kind.label:
        checks.append(
            pa.Check(
                once(lambda words: ~words.isin(WORDS_FOR_MISSING)),
                error=f"{name} must be NULL, not a word such as 'NULL', '\\N', 'nan' or 'None'",
            )
        )
    if column.kind == schema.Kind.label:
        checks.append(
            pa.Check(
                once(lambda words: words.astype(str) == words.astype(str).str.strip()),
                error=f"{name} must have no blank or line end around its word, as in 'Good\\r'",
            )
        )
    if column.words:
        checks.append(
            pa.Check(
                once(lambda words: words.isin(column.words)),
                error=f"{name} must be {_listed(column.words)}",
            )
        )
    if column.length is not None:
        checks.append(
            pa.Check(
                once(lambda words: words.str.len() <= column.length),
                error=f"{name} must have at most {column.length} characters",
            )
        )
    return pa.Column(
        "float64" if column.kind == schema.Kind.number else None,
        checks,
        nullable=name in schema.FEATURES,
    )


def _broken(failures: pd.DataFrame, unique: Sequence[str], described: tuple[str, str]) -> pd.Series:
    """The rules that are broken per row, joined."""
    of_table = failures[failures["index"].isna()]
    if len(of_table):
        what, remedy = described
        names = of_table["column"].fillna(of_table["failure_case"]).astype(str).unique()
        raise RowTypesError(
            f"Columns of the {what} are missing or have another type: {', '.join(names)}. {remedy}"
        )
    rules = failures["check"].replace(
        {"multiple_fields_uniqueness": f"{_joined(unique)} must occur once"}
    )
    absent = rules == "not_nullable"
    rules = rules.mask(absent, failures["column"].astype(str) + " must not be NULL")
    return rules.groupby(failures["index"].astype(int)).agg(
        lambda each: "; ".join(dict.fromkeys(each))
    )


_Check = Callable[[pd.Series], pd.Series]


def _as_it_is(check: _Check) -> _Check:
    return check


def _each_once(check: _Check) -> _Check:
    """A check that looks at each different value once: a million rows have a few dozen words."""

    def checked(values: pd.Series) -> pd.Series:
        number, different = pd.factorize(values, use_na_sentinel=False)
        found = check(pd.Series(different, dtype=values.dtype)).to_numpy()
        return pd.Series(found[number], index=values.index)

    return checked


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _is_day(values: pd.Series) -> pd.Series:
    days = pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
    return days.dt.strftime("%Y-%m-%d") == values


def _listed(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
