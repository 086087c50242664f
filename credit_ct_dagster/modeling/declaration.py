"""The declaration of the bank's data: a YAML file of tables, columns and classes (DATA_SCHEMA).

`schema` reads it once per process, and everything else derives from `schema`.
"""

import re
from collections import Counter
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from credit_ct_dagster.contracts.utility import require_costs
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.modeling.column import (
    WORDS_FOR_MISSING,
    Column,
    Declared,
    Kind,
    Length,
    Name,
    Said,
)
from credit_ct_dagster.modeling.declaration_problems import problems
from credit_ct_dagster.yaml_files import UnusableYamlError, read_yaml

BASE_DATE = "base_dt"
_OWN_COLUMNS = {
    BASE_DATE, "answers", "bucket", "compliance_flags", "dagster_run_id", "day", "feature_date",
    "features", "fingerprint", "first_seen", "first_time", "is_most_probable", "key", "label",
    "label_date", "last_time", "latency_ms", "model", "model_base_dt", "model_name", "model_tag",
    "predicted", "probabilities", "range_key", "reasons", "record_version", "registered_version",
    "request_id", "row_count", "scored_at", "self", "since_the_beginning", "source", "table_name",
    "time", "warnings",
}  # fmt: skip
"""What the platform adds to the bank's rows, in tables, answers and reports; and `self`, as pandas
calls the frame when new columns are given by name."""
WORDS_OF_DAGSTER = {
    "arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "input_arg_dict",
    "int", "meta", "output", "output_arg_dict", "str", "type",
}  # fmt: skip
"""No asset can be called so, nor like a keyword of Python."""
_OWN_TABLES = {"credit_arrivals", "credit_customer_scores", "credit_predictions"}
OWN_ASSETS = {
    "bentoml_model", "champion_health", "champion_model", "champion_probation", "customer_scores",
    "estimated_performance", "features_target", "model_card", "preprocessed_splits",
    "robust_scalers", "served_performance", "serving_skew", "shadow_scores", "tuned_runs",
}  # fmt: skip
"""What the platform makes; source tables are assets by their own names."""

_SHIPPED = Path(__file__).with_name("credit_score.yaml")

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,30}$")]
"""Of a class: it becomes a part of column names such as `probability_poor`."""


TableName = Annotated[Name, Field(max_length=32)]
"""Of a table: as the ledger of arrivals stores it. Names of indexes are longer by at most twelve
characters, of the 64 that MySQL allows."""


_ROW_BYTES = 65_000
"""Of the 65,535 of a row of MySQL, without the base date and the bits of missing values."""


class Tables(Declared):
    """The names of the tables.

    Attributes:
        labels: Holds the keys and the class; other systems fill it.
        features: Holds the keys and the features; other systems fill it.
        training_rows: Holds the merged rows per base date; the platform fills it.
    """

    labels: TableName
    features: TableName
    training_rows: TableName

    @model_validator(mode="after")
    def _differ(self) -> Self:
        names = {self.labels, self.features, self.training_rows}
        if len(names) < 3:
            raise ValueError("need three different names")
        taken = sorted(names & (_OWN_TABLES | OWN_ASSETS))
        if taken:
            raise ValueError(
                f"{', '.join(taken)}: the platform has such a table or asset of its own"
            )
        reserved = sorted(
            name
            for name in names
            if iskeyword(name) or name in WORDS_OF_DAGSTER or name.startswith("sqlite_")
        )
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: a word of Python, Dagster or SQLite")
        return self


class Key(Declared):
    """A column by which rows are joined.

    Attributes:
        name: As in the tables.
        description: For a person.
        length: How many characters fit.
    """

    name: Name
    description: Said
    length: Annotated[Length, Field(le=64)] = 10

    def column(self) -> Column:
        """The same, as a column."""
        return Column(
            name=self.name, kind=Kind.key, description=self.description, length=self.length
        )


class Keys(Declared):
    """The three columns that both source tables have.

    Attributes:
        id: Identifies a customer's row of one date.
        customer: Identifies a customer over all dates.
        date: The day of a row, YYYY-MM-DD.
    """

    id: Key
    customer: Key
    date: Key

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, key: Key) -> Key:
        if key.length != len("YYYY-MM-DD"):
            raise ValueError("a date has 10 characters")
        return key


class Target(Declared):
    """The class to predict.

    Attributes:
        name: As in the tables.
        description: For a person.
        classes: From worst to best: the last one is the favourable one.
        length: How many characters fit.
        called: What a class is called in a sentence to a customer: "the next better score".
        costs: Of each kind of error, where the bank chooses by expected cost (UTILITY): rows are
            true classes, columns predicted ones. [default: 1 for each error]
    """

    name: Name
    description: Said
    classes: tuple[ClassName, ...] = Field(min_length=2, max_length=8)
    length: Annotated[Length, Field(le=64)] = 10
    called: Said = "class"
    costs: tuple[tuple[float, ...], ...] = ()

    @model_validator(mode="after")
    def _are_classes(self) -> Self:
        number = len(self.classes)
        if len({name.lower() for name in self.classes}) < number:
            raise ValueError("classes must differ in more than upper and lower case")
        if max(map(len, self.classes)) > self.length:
            raise ValueError(f"a class has more than {self.length} characters: raise length")
        if absent := [name for name in self.classes if name in WORDS_FOR_MISSING]:
            raise ValueError(f"{', '.join(absent)}: a word for a missing value is no class")
        if self.costs:
            require_costs(self.costs, self.classes)
        return self

    def column(self) -> Column:
        """The same, as a column."""
        return Column(
            name=self.name,
            kind=Kind.label,
            description=self.description,
            length=self.length,
            words=self.classes,
        )


class Declaration(Declared):
    """The bank's data.

    Attributes:
        tables: Their names.
        keys: By which rows are joined.
        target: The class to predict.
        features: Of the source table, in its order.
    """

    tables: Tables
    keys: Keys
    target: Target
    features: tuple[Column, ...]

    @field_validator("features")
    @classmethod
    def _are_features(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        kinds = {column.kind for column in columns}
        if kinds & {Kind.key, Kind.label}:
            raise ValueError("a feature is a number, category, text or personal")
        if Kind.number not in kinds or not kinds & {Kind.category, Kind.text}:
            raise ValueError("need at least one number and at least one category or text")
        kinds_of_groups = Counter(column.group_kind for column in columns)
        repeated = sorted(kind for kind, count in kinds_of_groups.items() if count > 1)
        if repeated:
            raise ValueError(f"{', '.join(repeated)}: groups of two features are called so")
        return columns

    @model_validator(mode="after")
    def _fit_into_a_row(self) -> Self:
        """Before anything is loaded: MySQL says so when it creates the tables."""
        columns = [each.column() for each in (self.keys.id, self.keys.customer, self.keys.date)]
        columns += [*self.features, self.target.column()]
        needed = sum(column.bytes_in_row for column in columns)
        if needed > _ROW_BYTES:
            raise ValueError(
                f"features need {needed:,} bytes of the {_ROW_BYTES:,} that a row of MySQL has:"
                " leave out the length of long texts, which are stored outside of it"
            )
        return self

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> Self:
        names = [self.keys.id.name, self.keys.customer.name, self.keys.date.name, self.target.name]
        names += [column.name for column in self.features]
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        if repeated:
            raise ValueError(f"{', '.join(repeated)}: names two columns")
        of_classes = re.compile(rf"(probability|count)_({'|'.join(self.target.classes)})", re.I)
        taken = sorted(name for name in names if name in _OWN_COLUMNS or of_classes.fullmatch(name))
        if taken:
            raise ValueError(f"{', '.join(taken)}: the platform uses such a name itself")
        return self

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read a declaration.

        Args:
            path: The file; none, or /dev/null: that which is shipped with the platform.

        Raises:
            SettingsError: There is no such file, or it cannot be used.
        """
        given = None if path is None or path.is_char_device() else path
        try:
            content = read_yaml(given or _SHIPPED)
        except UnusableYamlError as error:
            raise _unusable(path, str(error)) from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise _unusable(path, f"cannot be used: {problems(error, content)}") from None


class _Location(BaseSettings):
    """Where the declaration is, by the environment or `.env`, as `Settings` finds it."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    data_schema: Path | None = None


def declared() -> Declaration:
    """The declaration of this process (DATA_SCHEMA).

    Raises:
        SettingsError: The file, or `.env`, cannot be used.
    """
    try:
        location = _Location().data_schema
    except UnicodeDecodeError as error:
        raise SettingsError(
            "`.env` is not UTF-8: save it in that encoding, then try again."
        ) from error
    return Declaration.read(location)


def _unusable(path: Path | None, problem: str) -> SettingsError:
    return SettingsError(
        f"DATA_SCHEMA: {path or 'credit_score.yaml'} {problem}. Correct it, then try again."
    )
