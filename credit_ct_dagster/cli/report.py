"""`credit-ct report`: a model card in the browser."""

import webbrowser

import click

from credit_ct_dagster import stores
from credit_ct_dagster.cli.console import console
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.io_managers.artifacts import MODEL_FOLDER
from credit_ct_dagster.partitions import parse_base_date

_CARD = "model_card.html"


@click.command("report")
@click.option("--partition", metavar="D", help="Base date. [default: the newest with a card]")
@click.option("--open/--no-open", "opens", default=True, help="Open it, or only say where it is.")
def command(partition: str | None, opens: bool) -> None:
    """Open the model card of a base date."""
    artifacts = stores.artifacts()
    if partition:
        base_dt = parse_base_date(partition)
    else:
        cards = [day for day, folder in artifacts.open_all(MODEL_FOLDER) if _CARD in folder]
        if not cards:
            raise CreditCtError("No base date has a model card yet: credit-ct run makes one.")
        base_dt = cards[-1]
    folder = artifacts.open(MODEL_FOLDER, base_dt)
    if _CARD not in folder:
        raise CreditCtError(
            f"Base date {base_dt} has no model card: run it, or materialize model_card for it."
        )
    path = folder.path / _CARD
    console.print(str(path), markup=False)
    if opens and path.protocol in {"", "file"}:
        webbrowser.open(path.as_uri())
