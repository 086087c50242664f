"""`credit-ct status`: how far every base date has come."""

import json
from dataclasses import asdict

import click

from credit_ct_dagster.cli.base_dates import BaseDateStatus, Overview, overview_of
from credit_ct_dagster.cli.console import console, hanging, print_table, width
from credit_ct_dagster.cli.options import AnyDay, examples
from credit_ct_dagster.cli.service import service_of
from credit_ct_dagster.cli.status_table import attention, champion_lines, table_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.garbage import no_search_for_garbage
from credit_ct_dagster.wiring import Wiring

_SHOWN = 20
_VALUES_FROM = len("Champion: ")


@click.command(
    "status", epilog=examples("credit-ct status --since 2025-07-01", "credit-ct status --json")
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Only the N newest base dates. [default: {_SHOWN}; with --json, all]",
)
@click.option(
    "--since",
    type=AnyDay(trained=False),
    metavar="DATE",
    help="Only base dates from then on.",
)
@click.option(
    "--service", is_flag=True, help="Only the HTTP service; with --json, as a JSON object."
)
def command(as_json: bool, limit: int | None, since: str | None, service: bool) -> None:
    """Show the champion, the HTTP service, what needs attention, and the base dates, newest first.

    Accuracy is that on the holdout. A wide terminal shows more columns, --json all.
    """
    wiring = wired()
    if service:
        _show_service(wiring, as_json)
        return
    with no_search_for_garbage():
        packages, broken = wiring.bentoml_store.listed()
        found = overview_of(wiring, packages)
    for error in broken:
        click.echo(str(error), err=True)
    wanted = [status for status in found.base_dates if status.base_dt >= (since or "")]
    if as_json:
        for problem in found.problems:
            click.echo(problem, err=True)
        click.echo(json.dumps([asdict(status) for status in wanted[:limit]], indent=2))
        return
    _print(wiring, found, wanted, limit or _SHOWN, since)


def _print(
    wiring: Wiring, found: Overview, wanted: list[BaseDateStatus], limit: int, since: str | None
) -> None:
    service = f"Service:  {_service(wiring)}"
    for line in (*champion_lines(found), service, *attention(found)):
        console.print(hanging(line, _VALUES_FROM), markup=False)
    if not found.base_dates:
        console.print("No base date yet: credit-ct run trains the newest one that has labels.")
    elif not wanted:
        console.print(f"No base date since {since}; the newest is {found.base_dates[0].base_dt}.")
    if wanted:
        console.print()
        print_table(table_of(wanted[:limit], width()))
    if len(wanted) > limit:
        more, again = len(wanted) - limit, f"credit-ct status --limit {len(wanted)}"
        again += f" --since {since}" if since else ""
        console.print(f"{more:,} older: {again} shows them as well.")


def _show_service(wiring: Wiring, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(service_of(wiring).as_dict(), indent=2))
    else:
        console.print(f"Service: {_service(wiring)}", markup=False)


def _service(wiring: Wiring) -> str:
    """What the service serves; that it does not answer is worth a line, and fails nothing."""
    try:
        return service_of(wiring).summary()
    except CreditCtError as error:
        return str(error)
