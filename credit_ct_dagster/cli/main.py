"""`credit-ct`: the platform from a terminal."""

import sys

import click

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.garbage import collect_seldom, no_search_for_garbage

COMMANDS = {
    "load": "Insert rows into the two source tables, or replace those with the same key.",
    "run": "Train and package one base date, and report the result.",
    "predict": "Predict the credit score of each customer of a file.",
    "explain": "Explain the credit score of one customer.",
    "serve": "Answer with the champion over HTTP.",
    "ui": "Serve Dagster's UI, with its daemon.",
    "status": "List the base dates, newest first.",
    "watch": "Tell how the champion does.",
    "report": "Open the model card of a base date.",
    "promote": "Make the model of a base date the champion, on record.",
    "rollback": "Let the previous champion serve again, on record.",
    "doctor": "Check everything the platform depends on.",
    "prune": "Delete everything that belongs to old base dates.",
}
"""What each command does. Their modules take seconds to import, which the list must not."""


class _Group(click.Group):
    """Imports a command when it is called, and prints a failure as one line with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CreditCtError as error:
            if ctx.params["debug"]:
                raise
            raise click.ClickException(" ".join(str(error).split())) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from importlib import import_module

        if cmd_name not in COMMANDS:
            return None
        collect_seldom()
        with no_search_for_garbage():
            return import_module(f"credit_ct_dagster.cli.{cmd_name}").command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def main(debug: bool) -> None:
    """Continuous training of a credit-score classifier."""


if __name__ == "__main__":
    sys.exit(main())
