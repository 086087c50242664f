"""`credit-ct`: the platform from a terminal."""

import sys

import click
from click.shell_completion import CompletionItem

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
    "approve": "Let the model that awaits approval serve, on record.",
    "reject": "Refuse the model that awaits approval, on record.",
    "history": "List every decision: when, who, what, and why.",
    "doctor": "Check everything the platform depends on.",
    "rights": "Print the SQL that gives the users of a database server their rights.",
    "prune": "Delete everything that belongs to old base dates.",
}
"""What each command does. Their modules take seconds to import, which the list must not."""


class _Group(click.Group):
    """Imports a command when it is called, and prints a failure as one line with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        from credit_ct_dagster.cli.console import silence_libraries

        silence_libraries()
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
        try:
            with no_search_for_garbage():
                return import_module(f"credit_ct_dagster.cli.{cmd_name}").command
        except CreditCtError:
            if not ctx.resilient_parsing:
                raise
            return click.Command(cmd_name)  # the shell completes; whoever runs it is told why

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            # Click looks for similar names among the commands that have been imported.
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, of which none has to be imported, and the options of `credit-ct`."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        offered = [CompletionItem(name, help=COMMANDS[name]) for name in names]
        return [*offered, *click.Command.shell_complete(self, ctx, incomplete)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    "credit-ct",
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\n".join(
        [
            "",
            "Begin with: make run, or credit-ct run --sample-if-empty.",
            "Each command has examples: credit-ct run --help.",
            "Completion of commands, options, base dates: in ~/.bashrc (or zsh's, fish's)",
            '  eval "$(_CREDIT_CT_COMPLETE=bash_source credit-ct)"',
        ]
    ),
)
@click.version_option(package_name="credit-ct-dagster", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def main(debug: bool) -> None:
    """Continuous training of a credit-score classifier."""


if __name__ == "__main__":
    sys.exit(main())
