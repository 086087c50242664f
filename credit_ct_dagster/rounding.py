"""Figures of sentences that compare them: what differs must not look the same."""

import re
from math import isclose

_SPEC = re.compile(r"([+,]*)\.(\d+)([feg%])")
_MOST_DIGITS = 12


def told_apart(spec: str, figure: float, *others: float) -> str:
    """A figure with as many digits as it needs to be told from those that it is compared with.

    Args:
        spec: As for `format`; it names the fewest digits, such as `.3f` or `.1%`.
        figure: What is written.
        others: What it is compared with, which the reader sees, or knows, as 0.
    """
    found = _SPEC.fullmatch(spec)
    assert found, spec
    different = [each for each in others if not isclose(figure, each, abs_tol=1e-12)]
    for digits in range(int(found[2]), _MOST_DIGITS):
        longer = f"{found[1]}.{digits}{found[3]}"
        written = format(figure, longer)
        if all(_read(format(each, longer)) != _read(written) for each in different):
            return written
    return format(figure, spec)


def against(spec: str, figure: float, other: float) -> str:
    """Two figures of one kind: `0.612 against 0.604`."""
    return f"{told_apart(spec, figure, other)} against {told_apart(spec, other, figure)}"


def signed(difference: float, *limits: float, digits: int = 4) -> str:
    """A difference with its sign, which can be told from 0, and from what decides about it."""
    return told_apart(f"+.{digits}f", difference, 0.0, *limits)


def _read(written: str) -> float:
    """What a reader takes it for: -0.00 is no other figure than 0.00."""
    return float(written.rstrip("%").replace(",", ""))
