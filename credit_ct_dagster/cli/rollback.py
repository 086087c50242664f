"""`credit-ct rollback`: the previous champion serves again."""

import click

from credit_ct_dagster.cli.console import console, silence_libraries
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.errors.models import NothingToDecideError


@click.command("rollback")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
def command(by: str, reason: str) -> None:
    """Let the previous champion serve again; it is recorded, and can itself be rolled back."""
    silence_libraries()
    promotions = wired().promotions
    with promotions.deciding() as deciding:
        model = deciding.previous()
        if model is None:
            raise NothingToDecideError("There is no previous champion to roll back to.")
        decision = Decision(
            promoted=True,
            ground=Ground.person,
            sentence=f"Rolled back by {by}: {reason}",
            golden_rows=promotions.require_serves(model),
        )
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {model.registered_version} of base date {model.base_dt},"
        f" {model.bentoml_tag}, again (decision {record.number}).",
        markup=False,
    )
