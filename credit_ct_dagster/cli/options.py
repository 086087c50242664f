"""Options that commands share."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from credit_ct_dagster.csv_lines import COMMA, separator_of
from credit_ct_dagster.operations.model_choice import CHAMPION

model_option = click.option(
    "--model", default=CHAMPION, show_default=True, metavar="@champion|@previous|DATE|TAG",
    help="The champion, the one before it, the newest package of a base date, or a package.",
)  # fmt: skip
"""`--model`: what `chosen_model` takes."""


class BaseDate(click.ParamType):
    """A base date, written YYYY-MM-DD; the shell completes it (`credit-ct --help` says how).

    Args:
        trained: Offer only those that have been trained, and not every day of the calendar.
    """

    name = "date"

    def __init__(self, trained: bool) -> None:
        self._trained = trained

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The base dates that begin with what has been typed, the newest first."""
        from credit_ct_dagster.cli.wired import wired
        from credit_ct_dagster.contracts.files import MODEL_FOLDER
        from credit_ct_dagster.errors.base import CreditCtError

        try:
            wiring = wired()
            days = (
                [day for day, _ in wiring.artifacts.open_all(MODEL_FOLDER)]
                if self._trained
                else wiring.calendar.partitions.get_partition_keys()
            )
        except CreditCtError:
            return []  # whoever runs the command is told why
        offered = [day for day in sorted(days, reverse=True) if day.startswith(incomplete)]
        return [CompletionItem(day) for day in offered]


class AnyDay(BaseDate):
    """The same, for commands that take days which are no base dates as well."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check that it is a day of the calendar."""
        # Dagster takes a second to import, which --help does not need.
        from credit_ct_dagster.partitions import exists

        if not exists(value):
            self.fail(f"'{value}' is not a date: write YYYY-MM-DD.", param, ctx)
        return value


def examples(*lines: str) -> str:
    """The epilog of a command's help: commands that work, with other dates and files."""
    return "\b\n" + "\n".join(
        ["Examples, with dates, names and files of yours:", *(f"  {line}" for line in lines)]
    )


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
