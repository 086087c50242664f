"""Markdown in the metadata of assets, which Dagster shows on an asset's page if it is short."""

from collections.abc import Sequence
from itertools import accumulate
from textwrap import shorten
from typing import Any

import dagster as dg

_MOST_CHARACTERS = 999
"""Of Markdown that shows without a click."""


def link(words: str, url: str) -> dg.MarkdownMetadataValue:
    """A link by its words: an address does not wrap, and widens the page beyond its window."""
    return dg.MetadataValue.md(f"[{words}](<{url}>)")


def shown_lines(name: str, lines: Sequence[str], all_in: str) -> dict[str, Any]:
    """The first items of a list, as metadata under a name: as many as show without a click.

    Args:
        name: Of the metadata.
        lines: The most important ones first.
        all_in: Where a person finds those that are not shown.
    """
    ends = accumulate(len(line) + len("- \n") for line in lines)
    few = [line for line, end in zip(lines, ends, strict=True) if end <= _MOST_CHARACTERS]
    few = few or [shorten(line, _MOST_CHARACTERS - 2, placeholder=" …") for line in lines[:1]]
    shown: dict[str, Any] = {name: dg.MetadataValue.md("\n".join(f"- {line}" for line in few))}
    if len(few) < len(lines):
        shown[f"{name}_shown"] = f"{len(few)} of {len(lines)}; all are {all_in}"
    return shown
