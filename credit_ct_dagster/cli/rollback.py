"""`credit-ct rollback`: the previous champion serves again."""

import click

from credit_ct_dagster.cli.console import console, silence_libraries
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.probation import roll_back


@click.command("rollback")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
def command(by: str, reason: str) -> None:
    """Let the previous champion serve again; it is recorded, and can itself be rolled back."""
    silence_libraries()
    promotions = wired().promotions
    with promotions.deciding() as deciding:
        record = roll_back(
            promotions,
            deciding,
            by=by,
            ground=Ground.person,
            sentence=f"Rolled back by {by}: {reason}",
            reason=reason,
        )
    model = record.model
    console.print(
        f"The champion is version {model.registered_version} of base date {model.base_dt},"
        f" {model.bentoml_tag}, again (decision {record.number}).",
        markup=False,
    )
