"""`credit-ct report`: a model card in the browser."""

import webbrowser

import click

from credit_ct_dagster.cli.console import console, hanging
from credit_ct_dagster.cli.options import BaseDate, examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.makefile import command_of


@click.command("report", epilog=examples("credit-ct report --partition 2025-07-01"))
@click.option(
    "--partition",
    type=BaseDate(trained=True),
    metavar="D",
    help="Base date. [default: the newest with a card]",
)
@click.option("--open/--no-open", "opens", default=True, help="Open it, or only print its path.")
def command(partition: str | None, opens: bool) -> None:
    """Open the model card of a base date."""
    wiring = wired()
    artifacts = wiring.artifacts
    if partition:
        base_dt = wiring.calendar.parse(partition)
    else:
        cards = [day for day, found in artifacts.open_all(MODEL_FOLDER) if MODEL_CARD_FILE in found]
        if not cards:
            raise MissingArtifactError(
                "No base date has a model card yet: train one with credit-ct run."
            )
        base_dt = cards[-1]
    folder = artifacts.open(MODEL_FOLDER, base_dt)
    if MODEL_CARD_FILE not in folder:
        raise MissingArtifactError(
            f"Base date {base_dt} has no model card: run it, or materialize model_card for it."
        )
    path = folder.path / MODEL_CARD_FILE
    console.print(str(path), markup=False)
    if not opens:
        return
    if path.protocol not in {"", "file"}:
        problem = "It is not a file of this machine"
    elif not webbrowser.open(path.as_uri()):
        problem = "No browser was found: open this file"
    else:
        return
    page = wiring.dagster_ui.card_url(base_dt)
    click.echo(hanging(f"{problem}. With {command_of('dev')}, it is also at {page}", 0), err=True)
