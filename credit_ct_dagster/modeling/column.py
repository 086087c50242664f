"""A column of the bank's data, as it is declared."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from credit_ct_dagster.scorer.encoding import OTHER

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Of a table or a column: it becomes an identifier of SQL statements and a keyword argument."""

WORDS_FOR_MISSING = frozenset(
    {"NULL", "Null", "null", r"\N", "nan", "NaN", "NAN", "None", "<NA>", "NaT"}
)
r"""How databases and programs write a missing value into a file: MySQL NULL or \N, pandas the rest.

In a table or a cell they are words like any other, and mean that something went wrong before.
"""

LONGEST_TEXT = 16_383
"""Characters of a text that has no length of its own: in any script, they fit into MySQL's TEXT."""
LARGEST = sys.float_info.max
"""The largest number; what is not a number lies on neither side of it."""


def _no_yes_or_no(value: object) -> object:
    """YAML takes yes, no, on and off for truth values, and pydantic these for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be no truth value (yes, no, on, off): write a number, or use quotes")
    return value


Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""For a person, or a word as rows have it: those lose the blanks around them, too."""
Number = Annotated[float, BeforeValidator(_no_yes_or_no), Field(allow_inf_nan=False)]
Length = Annotated[int, BeforeValidator(_no_yes_or_no), Field(ge=1)]
"""In characters."""


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


_OF_FEATURES = {"protected", "reason", "example"}
_OPTIONS = {
    Kind.key: {"length"},
    Kind.label: {"length", "words"},
    Kind.number: {"risk", "low", "high", "groups"} | _OF_FEATURES,
    Kind.category: {"length", "words", "groups"} | _OF_FEATURES,
    Kind.text: {"length", "separator", "kinds", "called"} | _OF_FEATURES,
    Kind.personal: {"length"},
}
"""What is read of a column, besides name, kind and description."""


class Declared(BaseModel):
    """A part of the declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Declared):
    """A column of the feature store.

    Attributes:
        name: As in the tables: lower-case letters, digits and underscores.
        kind: What it holds.
        description: For a person.
        length: Of words: how many characters fit; None for texts of any length.
        words: The only words it may hold; empty if any word is accepted.
        separator: A comma for a text that lists things, which is split at commas and "and"; None
            for a text that is one thing.
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
    description: Said
    length: Annotated[Length, Field(le=LONGEST_TEXT)] | None = None
    words: tuple[Said, ...] = ()
    separator: Said | None = None
    kinds: tuple[Said, ...] = ()
    called: dict[Said, Said] = Field(default={})
    risk: Risk | None = None
    low: Number | None = None
    high: Number | None = None
    groups: tuple[Number, ...] | bool = False
    protected: bool = False
    reason: tuple[Said, Said, Said] | Said | None = None
    example: Annotated[int | float | str | None, BeforeValidator(_no_yes_or_no)] = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        read = {"name", "kind", "description"} | _OPTIONS[self.kind]
        unread = [
            name
            for name, field in Column.model_fields.items()
            if name not in read and getattr(self, name) != field.default
        ]
        problems = [f"kind {self.kind} has no {', '.join(unread)}"] if unread else []
        problems += self._of_words()
        problems += self._of_kinds()
        if self.low is not None and self.high is not None and self.low > self.high:
            problems.append(f"low, {self.low:g}, must not lie above high, {self.high:g}")
        problems += self._of_groups()
        if isinstance(self.reason, tuple) and self.kind != Kind.number:
            problems.append("reason has three parts for a number only")
        # Whether an example obeys what is contradictory is no question.
        problems += [] if problems or self.example is None else self._of_example(self.example)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _of_words(self) -> Iterator[str]:
        if len(set(self.words)) < len(self.words):
            yield "words must differ"
        if too_long := [word for word in self.words if len(word) > (self.length or sys.maxsize)]:
            yield f"{', '.join(too_long)}: longer than length, {self.length}"
        if absent := [word for word in self.words if word in WORDS_FOR_MISSING]:
            yield f"{', '.join(absent)}: a word for a missing value, which is refused in rows"

    def _of_kinds(self) -> Iterator[str]:
        plain = [" ".join(kind.split()).casefold() for kind in self.kinds]
        if len(set(plain)) < len(plain):
            yield "kinds must differ in more than blanks, upper and lower case"
        if OTHER in plain:
            yield f"'{OTHER}' stands for all kinds that are not declared"
        if self.separator not in (None, ","):
            yield 'separator must be ",": texts that list things are split at commas and "and"'
        if self.kinds and self.separator is None:
            yield "kinds need a separator"
        if unknown := sorted(set(self.called) - {*self.kinds, OTHER}):
            yield f"called names {', '.join(unknown)}, which kinds do not have"
        elif self.called and not self.kinds:
            yield "called needs kinds"

    def _is_possible(self, number: float) -> bool:
        low = -LARGEST if self.low is None else self.low
        return low <= number <= (LARGEST if self.high is None else self.high)

    def _of_groups(self) -> Iterator[str]:
        if isinstance(self.groups, tuple):
            if self.kind != Kind.number:
                yield "groups are bands for a number only: write true"
            if not self.groups or list(self.groups) != sorted(set(self.groups)):
                yield "groups must be numbers in ascending order"
            if not all(map(self._is_possible, self.groups)):
                yield "groups must begin within low and high"
        elif self.groups and self.kind == Kind.number:
            yield "groups: true is for category only: of a number, write where its bands begin"

    def _of_example(self, example: float | str) -> Iterator[str]:
        """The service's contract accepts the example of every column."""
        if isinstance(example, str) == (self.kind == Kind.number):
            yield "example must be of its kind"
        elif not isinstance(example, str):
            if not self._is_possible(example):
                yield "example must be a finite number within low and high"
        elif example.strip() in WORDS_FOR_MISSING:
            yield "example must be no word for a missing value: leave it out"
        elif self.words and example not in self.words:
            yield f"example must be one of {', '.join(self.words)}"
        elif len(example) > (self.length or LONGEST_TEXT):
            yield f"example is longer than length, {self.length}"

    @property
    def bytes_in_row(self) -> int:
        """Of MySQL: four per character, and their number; a text of any length is elsewhere."""
        return 12 if self.length is None else 4 * self.length + 2

    @property
    def is_grouped(self) -> bool:
        """Whether every model is measured per group of it."""
        return self.groups is not False

    @property
    def group_kind(self) -> str:
        """What its groups are called together: `age band`, `occupation`."""
        name = self.name.replace("_", " ")
        return f"{name} band" if isinstance(self.groups, tuple) else name
