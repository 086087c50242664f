"""A column of the bank's data, as it is declared."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from credit_ct_dagster.scorer.encoding import OTHER

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Of a table or a column: it becomes an identifier of SQL statements and a keyword argument."""


class Kind(StrEnum):
    """What a column holds."""

    key = "key"
    number = "number"
    category = "category"
    text = "text"
    personal = "personal"
    label = "label"


class Risk(StrEnum):
    """How the risk of a customer goes with a number, by the bank's own judgement."""

    rises = "rises"
    falls = "falls"


class Declared(BaseModel):
    """A part of the declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Declared):
    """A column of the feature store.

    Attributes:
        name: As in the tables: lower-case letters, digits and underscores.
        kind: What it holds.
        description: For a person.
        length: How many characters fit; None for numbers and for texts of any length.
        words: The only words it may hold; empty if any word is accepted.
        separator: Splits a text that lists things; None for a text that is one thing.
        kinds: What a text that lists things is known to list. Others are accepted; where texts are
            counted (`text: counts`), they are counted as one.
        called: What customers hold more or fewer of, in the sentences of reasons: by kind, and
            `other` for all that are not declared.
        risk: Of a number: how a customer's risk goes with it; None where the bank declares nothing.
        low: Of a number: rows with a lower value are quarantined.
        high: Of a number: rows with a higher value are quarantined.
        groups: Customers are measured and compared by it: of a number, where its bands begin
            (below the first one is another); of a word, True.
        protected: Whether the bank marks it as protected, unless PROTECTED_FEATURES says otherwise.
        reason: How reasons call it. Of a number, also how a higher and a lower value read.
            [default: the description]
        example: A realistic value, for documentation.
    """

    name: Name
    kind: Kind
    description: str = Field(min_length=1)
    length: int | None = Field(default=None, ge=1, le=16_383)
    words: tuple[str, ...] = ()
    separator: str | None = Field(default=None, min_length=1)
    kinds: tuple[str, ...] = ()
    called: dict[str, str] = Field(default_factory=dict)
    risk: Risk | None = None
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    groups: tuple[float, ...] | bool = False
    protected: bool = False
    reason: tuple[str, str, str] | str | None = None
    example: int | float | str | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        problems = [
            f"{names} {is_only} for {kind.value}"
            for names, is_only, kind, given in (
                ("risk, low and high", "are", Kind.number, (self.risk, self.low, self.high)),
                ("words", "are", Kind.category, self.words),
                ("separator and kinds", "are", Kind.text, (self.separator, *self.kinds)),
            )
            if self.kind not in (kind, Kind.label) and any(each is not None for each in given)
        ]
        if OTHER in self.kinds:
            problems.append(f"'{OTHER}' stands for all kinds that are not declared")
        if self.kinds and self.separator is None:
            problems.append("kinds need a separator")
        if self.low is not None and self.high is not None and self.low > self.high:
            problems.append(f"low, {self.low:g}, must not lie above high, {self.high:g}")
        problems += self._of_groups()
        if isinstance(self.reason, tuple) and self.kind != Kind.number:
            problems.append("reason has three parts for a number only")
        if isinstance(self.example, float | int) != (self.kind == Kind.number) and (
            self.example is not None
        ):
            problems.append("example must be of its kind")
        if problems:
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        return self

    def _of_groups(self) -> Iterator[str]:
        if isinstance(self.groups, tuple):
            if self.kind != Kind.number:
                yield "groups are bands for a number only: write true"
            if not self.groups or list(self.groups) != sorted(set(self.groups)):
                yield "groups must be numbers in ascending order"
        elif self.groups and self.kind != Kind.category:
            yield "groups: true is for category only: of a number, write where its bands begin"

    @property
    def is_grouped(self) -> bool:
        """Whether every model is measured per group of it."""
        return self.groups is not False

    @property
    def group_kind(self) -> str:
        """What its groups are called together: `age band`, `occupation`."""
        name = self.name.replace("_", " ")
        return f"{name} band" if isinstance(self.groups, tuple) else name
