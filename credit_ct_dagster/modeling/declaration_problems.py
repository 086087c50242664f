"""What is wrong with a declaration, in a few lines however much it is."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_MOST = 5
_SAYS = {
    "extra_forbidden": "is not expected there (docs/how-to/own-data.md lists what is)",
    "missing": "is missing",
    "string_type": "must be text: put it in quotes (YAML takes yes, no, on and off for others)",
    "string_too_short": "must not be empty",
}
_TYPE = re.compile(r".*\[.*|bool|float|int|.*str")
"""Of a value of several types, pydantic names each one that was tried, as if it were a place."""


def problems(error: ValidationError, content: Any) -> str:
    """What is wrong with a few places, each with its neighbours.

    Args:
        error: Of pydantic.
        content: What it judged.
    """
    found = error.errors()
    found = [each for each in found if not _is_type(each["loc"][-1:])] or found
    listed = [_sentence(each, content) for each in found[:_MOST]]
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(listed) + more


def _is_type(location: Sequence[int | str]) -> bool:
    return any(isinstance(part, str) and _TYPE.fullmatch(part) for part in location)


def _sentence(found: ErrorDetails, content: Any) -> str:
    place = _place(found["loc"], content)
    if found["type"] == "value_error":
        return ": ".join(filter(None, [place, str(found["ctx"]["error"])]))
    return f"{place or 'it'} {_SAYS.get(found['type'], found['msg'])}"


def _place(location: Sequence[int | str], content: Any) -> str:
    """A path such as `features[occupation].length`: an item of a list by its name."""
    found, here = "", content
    for part in location:
        if _is_type([part]):
            continue
        try:
            here = here[part]
        except (LookupError, TypeError):
            here = None
        if isinstance(part, int):
            name = here.get("name") if isinstance(here, dict) else None
            found += f"[{name or part}]"
        else:
            found += f".{part}" if found else part
    return found
