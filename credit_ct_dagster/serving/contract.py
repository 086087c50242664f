"""The contract of one customer's raw features: what may be asked of the model, and in which form.

It is derived from the columns of `schema` and the rules for rows, as the quarantine is: a customer
whom training would have put there is refused here. Nothing of it quotes a value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import LARGEST, WORDS_FOR_MISSING
from credit_ct_dagster.modeling.rows.row_rules import Bounds, RowRules, rules_of
from credit_ct_dagster.scorer.encoding import Kinds
from credit_ct_dagster.serving.example import CUSTOMER_ID, example

CUSTOMER = schema.CUSTOMER
"""May be given with the features; it is logged, and not scored."""

IGNORED = "The model that serves does not use it: it may be given, and is ignored."
ABSENT = "is absent: give it, or null where it is not known"
UNKNOWN = "is not a feature of the model"
PERSONAL = "is personal data, which the model does not take"
NOT_NUMBER = "must be a number or null"
NOT_TEXT = "must be text or null"
SPELT_MISSING = "must be null, not a word such as 'NULL', '\\N', 'nan' or 'None'"
UNREADABLE = "must be text that a database can hold: no NUL, no half of a surrogate pair"
NOT_OBJECT = "must be a JSON object of the features"
UNSEEN = "is a word that the model has not seen in training"
UNSEEN_KIND = "lists a kind that the model has not seen in training, and that counts as any other"

_MANY = 64
"""No more problems of one row are listed: a caller who sends a thousand wrong fields needs one."""
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NOWHERE = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row.

    Attributes:
        field: The feature, or what the caller called it if that is a plain name; may be empty.
        rule: What it must be, or that it is absent or unknown; never its value.
    """

    field: str
    rule: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"field": self.field, "rule": self.rule}

    def __str__(self) -> str:
        return f"{self.field} {self.rule}".strip()


def plain_name(name: object) -> str:
    """A caller's name of a field; empty unless it is a plain name that cannot carry a value."""
    return name if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else ""


class RowContract:
    """Which rows a model takes.

    Args:
        rules: Those that the model's training rows were chosen by. [default: the platform's own]
        known_words: Words that training had, by column that is a category of the model. Any other
            is a warning.
        counted: Kinds that training had, by text of which the model takes counts. Any other is a
            warning.
        features: What the model takes: a bank may exclude features, and a model of an earlier
            release lacks what was added since. Other features of the schema are accepted and
            ignored, so that a caller need not know which model serves.
            [default: those of the schema]
    """

    def __init__(
        self,
        rules: RowRules | None = None,
        known_words: Mapping[str, Iterable[str]] | None = None,
        counted: Mapping[str, Sequence[str]] | None = None,
        features: Sequence[str] = tuple(schema.FEATURES),
    ) -> None:
        rules = rules or RowRules()
        self.features = list(features)
        self.bounds = {name: rules.bounds_of(name) for name in features if name in schema.NUMERIC}
        self.known_words = {
            name: frozenset(words)
            for name, words in (known_words or {}).items()
            if name in schema.WORDS and name in features and not schema.COLUMNS[name].words
        }
        self._counted = {
            # A package of another release may count a kind that the schema no longer declares.
            name: Kinds([*schema.COLUMNS[name].kinds, *kinds], kinds)
            for name, kinds in (counted or {}).items()
            if name in schema.TEXT and name in features
        }
        self._numbers = [
            (
                name,
                -LARGEST if bounds.low is None else bounds.low,
                LARGEST if bounds.high is None else bounds.high,
                f"must be {_words_of(bounds)}",
            )
            for name, bounds in self.bounds.items()
        ]
        self._words = [
            (name, schema.COLUMNS[name].length or schema.LONGEST_TEXT, schema.COLUMNS[name].words)
            for name in schema.WORDS
            if name in features
        ]
        self._ignored = [name for name in schema.FEATURES if name not in features]
        self._known = frozenset([*features, *self._ignored, CUSTOMER])

    @classmethod
    def of(cls, record: ScorerRecord) -> Self:
        """The contract of a packaged model."""
        return cls(rules_of(record.limits), record.known_words, record.counted, record.features)

    def problems(self, row: object) -> list[Problem]:
        """What is wrong with a row, in the order of the schema; empty if it can be scored.

        Args:
            row: The raw features by name; None is a missing value. It may hold `customer_id`.
        """
        if not isinstance(row, dict):
            return [Problem("", NOT_OBJECT)]
        found: list[Problem] = []
        for name, low, high, rule in self._numbers:
            value = row.get(name, _NOWHERE)
            kind = type(value)
            if kind is float or kind is int:
                # Neither NaN nor infinity lies between; an integer of any size is compared exactly.
                if not low <= value <= high:
                    found.append(Problem(name, rule))
            elif value is not None:
                found.append(Problem(name, ABSENT if value is _NOWHERE else NOT_NUMBER))
        for name, length, words in self._words:
            value = row.get(name, _NOWHERE)
            if type(value) is str:
                rule = _broken_by(value, length, words)
                if rule:
                    found.append(Problem(name, rule))
            elif value is not None:
                found.append(Problem(name, ABSENT if value is _NOWHERE else NOT_TEXT))
        if len(row) != len(self.features) or found:
            found += self._of_other_fields(row)
        return found[:_MANY]

    def warnings(self, row: Mapping[str, Any]) -> list[Problem]:
        """Words of a row without problems that training did not have: they are scored as unknown.

        Lower-cased words are such, except in a list of kinds. What the schema lists is a matter of
        `problems`.
        """
        words = [
            Problem(name, UNSEEN)
            for name, words in self.known_words.items()
            if row[name] and (word := row[name].strip()) and word not in words
        ]
        kinds = [
            Problem(name, UNSEEN_KIND)
            for name, kinds in self._counted.items()
            if row[name] and kinds.has_other(row[name])
        ]
        return words + kinds

    def features_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The features of a row without problems, as they are scored: no blanks around words."""
        features = {name: row[name] for name in self.features if name in row}
        for name, _, _ in self._words:
            word = features.get(name)
            if word is not None:
                features[name] = word.strip() or None
        return features

    def ignored_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The features of a row that the model does not take, by the same rule for blanks."""
        given = {name: row[name] for name in self._ignored if name in row}
        return {
            name: value.strip() or None if isinstance(value, str) else value
            for name, value in given.items()
        }

    def _of_other_fields(self, row: Mapping[Any, Any]) -> list[Problem]:
        found = []
        customer = row.get(CUSTOMER)
        if customer is not None:
            rule = customer_rule(customer)
            found += [Problem(CUSTOMER, rule)] if rule else []
        for name in row:
            if name not in self._known:
                rule = PERSONAL if name in schema.PERSONAL else UNKNOWN
                found.append(Problem(plain_name(name), rule))
                if len(found) == _MANY:
                    break
        return found

    def json_schema(self) -> dict[str, Any]:
        """The same contract as a schema of OpenAPI 3.0, with descriptions and an example."""
        properties: dict[str, Any] = {CUSTOMER: customer_schema(), **self._features_schema()}
        for name in self._ignored:
            properties[name] = {"nullable": True, "description": IGNORED}
        return {
            "type": "object",
            "title": "Customer",
            "description": "The raw features of one customer. Each must be given; null is a value"
            " that is not known.",
            "properties": properties,
            "required": self.features,
            "additionalProperties": False,
            "example": self._example(),
        }

    def _features_schema(self) -> dict[str, dict[str, Any]]:
        return {
            name: self._feature_schema(name) | {"example": value}
            for name, value in self._example().items()
        }

    def _example(self) -> dict[str, Any]:
        return {name: value for name, value in example().items() if name in self.features}

    def _feature_schema(self, name: str) -> dict[str, Any]:
        column = schema.COLUMNS[name]
        described: dict[str, Any] = {"nullable": True, "description": column.description}
        if column.kind == schema.Kind.number:
            bounds = self.bounds[name]
            described["type"] = "number"
            described |= {} if bounds.low is None else {"minimum": bounds.low}
            described |= {} if bounds.high is None else {"maximum": bounds.high}
            return described
        described["type"] = "string"
        if column.words:
            described["enum"] = [*column.words, None]
        else:
            described["maxLength"] = column.length or schema.LONGEST_TEXT
        return described


def customer_rule(customer: object) -> str:
    """The rule that a customer's identifier breaks; empty if none."""
    length = schema.COLUMNS[CUSTOMER].length or 0
    if not isinstance(customer, str) or not 0 < len(customer) <= length:
        return f"must be text of 1 to {length} characters"
    return "" if _can_be_stored(customer) else UNREADABLE


def customer_schema() -> dict[str, Any]:
    """A customer's identifier, as a schema of OpenAPI 3.0."""
    column = schema.COLUMNS[CUSTOMER]
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": column.length,
        "description": column.description,
        "example": CUSTOMER_ID,
    }


def _broken_by(text: str, length: int, words: tuple[str, ...]) -> str:
    word = text.strip()
    if not word or word in words:
        return ""
    if word in WORDS_FOR_MISSING:
        return SPELT_MISSING
    if words:
        return f"must be {_listed(words)}"
    if len(word) > length:
        return f"must have at most {length} characters"
    return "" if _can_be_stored(word) else UNREADABLE


def _can_be_stored(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _words_of(bounds: Bounds) -> str:
    return "a finite number" if bounds == Bounds() else str(bounds)


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
