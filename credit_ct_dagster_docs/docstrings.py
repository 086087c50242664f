"""What the docstring of a class says of it and of its attributes."""

import inspect
import re


def summary(documented: type) -> str:
    """The docstring without its sections, in one paragraph."""
    return " ".join(re.split(r"\n\w+:\n", _docstring(documented))[0].split())


def attributes(documented: type) -> dict[str, str]:
    """What `Attributes:` says of each, by name; those of base classes as well."""
    found: dict[str, str] = {}
    for each in reversed(documented.__mro__):
        _, _, section = _docstring(each).partition("\nAttributes:\n")
        section = re.split(r"\n\w+:\n", section)[0]
        for entry in re.split(r"\n {4}(?=\w)", f"\n{section}")[1:]:
            name, _, words = entry.partition(":")
            found[name.strip()] = " ".join(words.split())
    return found


def _docstring(documented: type) -> str:
    return inspect.cleandoc(documented.__doc__ or "") if documented.__module__ != "builtins" else ""
