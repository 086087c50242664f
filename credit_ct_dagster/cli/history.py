"""`credit-ct history`: every decision."""

import json
import textwrap
from collections.abc import Iterator

import click
import dagster as dg

from credit_ct_dagster.cli import console
from credit_ct_dagster.cli.options import AnyDay, examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.operations.decision_history import PastDecision, decision_history
from credit_ct_dagster.partitions import day_of, moment_of
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.model_runs import ModelRuns

_INDENT = " " * 6
_WIDEST = 120


@click.command(
    "history",
    epilog=examples(
        "credit-ct history --limit 20",
        "credit-ct history --since 2025-07-01",
        "credit-ct history --json",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with the evidence.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the N newest. [default: all]"
)
@click.option(
    "--since", type=AnyDay(trained=False), metavar="DATE", help="Only decisions from then on."
)
def command(as_json: bool, limit: int | None, since: str | None) -> None:
    """List every decision, newest first: when, who, what, from which model to which, and why.

    Those of the gate, of probation and of people, and the trainings that were started because of
    how the champion did.
    """
    wiring = wired()
    records = wiring.promotions.records()
    decisions = decision_history(records, _trainings(wiring.settings.model_name))
    wanted = [each for each in decisions if day_of(each.time.timestamp()) >= (since or "")]
    found = wanted[:limit]
    if as_json:
        click.echo(json.dumps([each.as_dict() for each in found], indent=2))
    elif decisions and not found:
        newest = moment_of(decisions[0].time)
        click.echo(f"No decision since {since}; the newest is of {newest}.")
    elif not found:
        click.echo("No decision yet: credit-ct run trains a model, and the gate decides on it.")
    else:
        width = min(console.width(), _WIDEST)
        for each in found:
            click.echo("\n".join(_lines(each, width)))


def _trainings(model_name: str) -> list[dg.RunRecord]:
    """Those that a trigger started; none while Dagster's history cannot be read."""
    try:
        with configured_instance() as instance:
            return list(ModelRuns(instance, model_name).triggered())
    except CreditCtError as error:
        click.echo(f"Trainings that a trigger started are not listed: {error}", err=True)
        return []


def _lines(decision: PastDecision, width: int) -> Iterator[str]:
    number = f"{decision.number or '-':>4}"
    by = f"{decision.by} (a person)" if decision.by_person else decision.by
    title = f"{number}  {moment_of(decision.time)}  {by}: {decision.outcome}"
    texts = ((title, ""), (decision.champion, _INDENT), (decision.sentence, _INDENT))
    for text, first in texts:
        yield from textwrap.wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=_INDENT,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
