"""The page of the command line."""

import inspect
import re
from collections.abc import Iterator
from typing import cast

import click

from credit_ct_dagster.cli.main import COMMANDS, main
from credit_ct_dagster_docs import markdown as md


def page() -> str:
    """Every command with its arguments, options and examples."""
    with click.Context(main, info_name="credit-ct") as context:
        overview = [[f"[`{name}`](#credit-ct-{name})", does] for name, does in COMMANDS.items()]
        return md.page(
            "Commands",
            "`credit-ct` is in `.venv/bin`. A failure is one line on stderr and exit code 1;"
            " `credit-ct --debug` shows its traceback. Completion of commands, options and base"
            " dates, in `~/.bashrc` (`zsh_source` and `fish_source` for the other shells):",
            md.block("console", 'eval "$(_CREDIT_CT_COMPLETE=bash_source credit-ct)"'),
            md.table(["command", "what it does"], overview),
            *(part for name in COMMANDS for part in _of(name, context)),
        )


def _of(name: str, group: click.Context) -> Iterator[str]:
    command = cast("click.Command", main.get_command(group, name))
    with click.Context(command, parent=group, info_name=name) as context:
        yield f"## `credit-ct {name}`"
        yield md.block("console", command.get_usage(context).removeprefix("Usage: "))
        for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
            yield md.text(" ".join(paragraph.replace("\b", "").split()))
        records = [each.get_help_record(context) for each in command.get_params(context)]
        options = [each for each in records if each and "--help" not in each[0]]
        if options:
            yield md.table(
                ["option", ""], [[md.code(option), md.text(words)] for option, words in options]
            )
        if command.epilog:
            lines = inspect.cleandoc(command.epilog.replace("\b", "")).splitlines()
            shown = [line.strip() for line in lines if line.strip() and line.strip() != "Examples:"]
            yield md.block("console", "\n".join(shown))
