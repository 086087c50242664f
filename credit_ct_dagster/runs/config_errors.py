"""What is wrong with a run configuration, in a line: the key and its neighbours, not the schema."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import dagster as dg
from pydantic import BaseModel, ValidationError

from credit_ct_dagster.errors.base import CreditCtError

_UNEXPECTED = re.compile(
    r"Received unexpected config entr(?:y|ies) \"(?P<names>.*?)\" at (?:the root|path root:"
    r"(?P<path>\S+))\. Expected: \"(?P<expected>.*)\"",
    re.DOTALL,
)
_PLACE = r"at (?:the root|path root:(?P<path>\S+?))"
_SCALAR = re.compile(
    rf"Invalid scalar {_PLACE}\. Value \"(?P<value>.*)\" of type"
    r" .* expected type \"(?P<type>\w+)\"",
    re.DOTALL,
)
_ENUM = re.compile(
    rf"Value {_PLACE} (?:for enum type .* must be a string|not in enum type \w+ got (?P<value>.*))",
    re.DOTALL,
)
_SHAPE = re.compile(rf"Value {_PLACE} must (?P<shape>be dict|be list|not be None)")
_SHAPES = {
    "be dict": "give its values by name",
    "be list": "be a list",
    "not be None": "have a value",
}
_OF_KEY = re.compile(r":'([^']+)':value")
_NUMBERED = re.compile(r"^ *Error \d+: ", re.MULTILINE)
_TYPES = {"Float": "a number", "Int": "a whole number", "Bool": "true or false", "String": "text"}
_IN_QUOTES = ", in quotes (YAML takes yes, no, on and off for others)"
_MOST = 8
"""Names that are listed; of more, those that look most like the one that was given."""
_MESSAGE = 300


def shortly(error: dg.DagsterInvalidConfigError) -> str:
    """The errors of a configuration, each with the names that may be there instead.

    Dagster's own message has the schema of everything below, which are thousands of characters.

    Args:
        error: As Dagster raises it, or the platform.
    """
    if isinstance(error.__cause__, CreditCtError):
        return error.__cause__.sentence.rstrip(".")
    found = [_shortly(str(each.message), _accepted(each.error_data)) for each in error.errors]
    return "; ".join(found) or _cut(str(error))


def shortly_of_text(text: str) -> str:
    """The same of an error of which only the text is on record, and of any other text.

    Args:
        text: The message of the error.
    """
    _, *found = _NUMBERED.split(text)
    return "; ".join(map(_shortly, found)) or _cut(text)


def truth_values(config_class: type[BaseModel], given: Mapping[str, Any]) -> str:
    """Which numbers were given as yes, no, on or off; empty if none.

    Dagster takes a whole number only, but these for 1.0 and 0.0, as pydantic does.

    Args:
        config_class: Describes the configuration.
        given: By name; others than those of the class are passed over.
    """
    fields = config_class.model_fields
    names = [
        name
        for name in given
        if isinstance(given[name], bool)
        and name in fields
        and bool not in (fields[name].annotation, *get_args(fields[name].annotation))
    ]
    return "; ".join(f"{name}: must be no truth value (yes, no, on, off)" for name in names)


def refused(error: ValidationError) -> str:
    """The values that pydantic refused, each by its name.

    Args:
        error: As pydantic raises it.
    """
    return "; ".join(
        ": ".join([*map(str, each["loc"]), each["msg"].removeprefix("Value error, ")])
        for each in error.errors()
    )


def unexpected(name: str, where: str, expected: Sequence[str]) -> str:
    """That a name may not be where it is, and which ones may.

    Args:
        name: What was given.
        where: Whose names these are; empty for those of the whole file.
        expected: The names that may be there.
    """
    near = difflib.get_close_matches(name, expected, n=1)
    shown = list(expected)
    if len(shown) > _MOST:
        closest = difflib.get_close_matches(name, shown, n=_MOST, cutoff=0.0)
        shown = [each for each in expected if each in closest]
        shown.append(f"{len(expected) - len(closest)} more")
    below = f" in {where}" if where else ""
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"'{name}' is not expected{below}{meant}: there may be {', '.join(shown) or 'nothing'}"


def _accepted(data: Any) -> Sequence[str]:  # Dagster does not publish the type
    """The values that a name may have, where they are a few words."""
    described = getattr(data, "config_type_snap", None)
    return [each.value for each in getattr(described, "enum_values", None) or ()]


def _shortly(message: str, accepted: Sequence[str] = ()) -> str:
    if matched := _UNEXPECTED.search(message):
        expected = list(_names(matched["expected"]))
        names = re.findall(r"'([^']+)'", matched["names"]) or [matched["names"]]
        return "; ".join(unexpected(name, _where(matched), expected) for name in names)
    if matched := _SCALAR.search(message):
        wanted = _TYPES.get(matched["type"], matched["type"])
        return _cut(f"{_where(matched)} must be {wanted}, not {matched['value']}".lstrip())
    if matched := _ENUM.search(message):
        wanted = " or ".join(map(repr, accepted)) or "one of a few words"
        given = f", not {matched['value']}" if matched["value"] else _IN_QUOTES
        return _cut(f"{_where(matched)} must be {wanted}{given}".lstrip())
    if matched := _SHAPE.search(message):
        return f"{_where(matched) or 'it'} must {_SHAPES[matched['shape']]}"
    return _cut(message)


def _where(matched: re.Match[str]) -> str:
    return _OF_KEY.sub(r":\1", matched["path"] or "").replace(":", ".")


def _names(expected: str) -> Iterator[str]:
    """The names of the outermost braces or brackets of what Dagster expected."""
    depth = 0
    for part in re.findall(r"[{}()\[\]]|'?[A-Za-z_]\w*'?\??:?", expected):
        if part in "{([":
            depth += 1
        elif part in "})]":
            depth -= 1
        elif depth == 1 and (part.endswith(":") or part.startswith("'")):
            yield part.strip("':?")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE else f"{line[:_MESSAGE]} …"
