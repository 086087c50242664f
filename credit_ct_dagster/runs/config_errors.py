"""What is wrong with a run configuration, in a line: the key and its neighbours, not the schema."""

import difflib
import re
from collections.abc import Iterator, Sequence

import dagster as dg

_UNEXPECTED = re.compile(
    r"Received unexpected config entr(?:y|ies) \"(?P<names>.*?)\" at (?:the root|path root:"
    r"(?P<path>\S+))\. Expected: \"(?P<expected>.*)\"",
    re.DOTALL,
)
_MOST = 8
"""Names that are listed; of more, those that look most like the one that was given."""
_MESSAGE = 300


def shortly(error: dg.DagsterInvalidConfigError) -> str:
    """The errors of a configuration, each with the names that may be there instead.

    Dagster's own message has the schema of everything below, which are thousands of characters.

    Args:
        error: As Dagster raises it.
    """
    found = [_shortly(str(each.message)) for each in error.errors]
    return "; ".join(found) or _cut(str(error))


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


def _shortly(message: str) -> str:
    matched = _UNEXPECTED.search(message)
    if not matched:
        return _cut(message.split(" Expected: ")[0].rstrip("."))
    where = (matched["path"] or "").replace(":", ".")
    expected = list(_names(matched["expected"]))
    names = re.findall(r"'([^']+)'", matched["names"]) or [matched["names"]]
    return "; ".join(unexpected(name, where, expected) for name in names)


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
