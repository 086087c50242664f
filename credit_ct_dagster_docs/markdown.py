"""Markdown that GitHub and Sphinx read alike."""

import re
from collections.abc import Iterable, Sequence

GENERATED = "*Made from the code by `make reference`: edit the code, not this page.*"


def page(title: str, *parts: str) -> str:
    """A page with its title, and the note that nobody should edit it."""
    return "\n\n".join([f"# {title}", GENERATED, *parts]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a `|` in a cell is text, and so is a line break."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def text(words: str) -> str:
    """Words of the code as Markdown: `<` opens no tag, `*` and `[` mark nothing up.

    Where they name a page of `docs/`, there is a link to it.
    """
    parts = re.split(r"(`[^`]*`)", words)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(words: str) -> str:
    escaped = re.sub(r"([*\[\]])", r"\\\1", words).replace("<", "&lt;")
    return re.sub(r"docs/([\w/-]+\.md)", r"[\1](../\1)", escaped)


def code(value: str) -> str:
    """A literal; nothing for an empty one."""
    return f"`{value}`" if value else ""


def block(language: str, lines: str) -> str:
    """Lines to be read as they stand."""
    return f"```{language}\n{lines}\n```"


def anchor(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
