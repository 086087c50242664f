"""`credit-ct rollback`: the champion before this one serves again."""

import click

from credit_ct_dagster import stores
from credit_ct_dagster.cli.console import console
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling.promotion import Decision, Ground


@click.command("rollback")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
def command(by: str, reason: str) -> None:
    """Let the previous champion serve again; it is recorded, and can be rolled back itself."""
    promotions = stores.promotions()
    with promotions.deciding() as deciding:
        model = promotions.previous()
        if model is None:
            raise CreditCtError("There is no previous champion to go back to.")
        promotions.packages.load(model.bentoml_tag)
        decision = Decision(True, Ground.person, f"Rolled back by {by}: {reason}")
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {model.version} of base date {model.base_dt},"
        f" {model.bentoml_tag}, again (record {record['number']}).",
        markup=False,
    )
