"""Options that commands share."""

from collections.abc import Callable
from typing import Any

import click

from credit_ct_dagster.csv_lines import COMMA, separator_of
from credit_ct_dagster.operations.model_choice import CHAMPION

model_option = click.option(
    "--model", default=CHAMPION, show_default=True, metavar="@champion|@previous|DATE|TAG",
    help="The champion, the one before it, the newest package of a base date, or a package.",
)  # fmt: skip
"""`--model`: what `chosen_model` takes."""


def separator_option(help_text: str) -> Callable[[Any], Any]:
    """`--separator`: one character, or `tab`.

    Args:
        help_text: Of which files.
    """
    return click.option(
        "--separator", default=COMMA, show_default=True, help=help_text,
        callback=lambda _, __, text: _separator(text),
    )  # fmt: skip


def _separator(text: str) -> str:
    try:
        return separator_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
