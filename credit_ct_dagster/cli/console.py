"""Where commands print."""

import logging
import shutil
import sys
import textwrap
import warnings
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

_NARROWEST, _WIDEST = 80, 180

console = Console(highlight=False, soft_wrap=True, width=_WIDEST)
"""Sentences are as long as they are: a terminal wraps them, and a program reads whole lines."""


def width() -> int:
    """Characters per line: those of the terminal, but 80 at least, which a narrower one wraps."""
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)


def hanging(text: str, indent: int) -> str:
    """A text in the last column of a line; a terminal gets it wrapped, a program as it is.

    Args:
        text: A sentence or more.
        indent: Where the column begins.
    """
    if not sys.stdout.isatty():
        return text
    lines = textwrap.wrap(text, width() - indent, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)


def figures(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table that is as narrow as its figures: titles go on in the next line at blanks."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title, *cells in zip(titles, *rows, strict=True):
        longest = max(map(len, [*title.split(), *cells]))
        table.add_column(title, width=longest, justify="right", vertical="bottom")
    for row in rows:
        table.add_row(*row)
    return table


def print_table(table: Table) -> None:
    """Print a table within the width of the terminal."""
    console.print(table, soft_wrap=False, width=width())


def silence_libraries() -> None:
    """Suppress messages meant for the authors of libraries; called before they are imported."""
    # Dagster's BetaWarning, by its text: importing its class takes half a second.
    warnings.filterwarnings("ignore", r".* is currently in beta")
    # MLflow reports every migration of a new store.
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
    # In an image without pip, as the stack's is, packages name pip without its version.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    # The error reports a lost connection; the pool that takes it back would print a traceback, too.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
