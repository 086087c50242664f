"""`credit-ct`: the platform from a terminal."""

import sys

import click

from credit_ct_dagster.errors import CreditCtError


class _Group(click.Group):
    """Turns the platform's own failures into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CreditCtError as error:
            if ctx.params["debug"]:
                raise
            raise click.ClickException(" ".join(str(error).split())) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command when it is called: each needs other, slow libraries."""
        from importlib import import_module

        if cmd_name not in _COMMANDS:
            return None
        return import_module(f"credit_ct_dagster.cli.{cmd_name}").command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _COMMANDS


_COMMANDS = ["load", "run", "status", "report", "promote", "rollback", "doctor", "prune"]


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def main(debug: bool) -> None:
    """Continuous training of a credit-score classifier."""


if __name__ == "__main__":
    sys.exit(main())
