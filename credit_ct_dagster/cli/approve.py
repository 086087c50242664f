"""`credit-ct approve`: a model that awaits approval serves."""

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.deciding import by_option, decided, reason_option
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.requested import decision_option, number_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.decisions.approvals import approve


@click.command(
    "approve",
    epilog=examples('credit-ct approve --decision 12 --by "Jo Kim" --reason "card of 12 read"'),
)
@decision_option
@by_option
@reason_option
def command(decision: int | None, by: str, reason: str) -> None:
    """Let the model that awaits approval take the champion's place; it is recorded.

    Refused if the package, its rows or the champion are others than when it was judged.
    """
    wiring = wired()
    number = decision or number_of(wiring, "Let it serve?")
    with decided(wiring) as deciding:
        record = approve(wiring.promotions, deciding, number, by=by, reason=reason)
    model = record.model
    console.print(
        f"The champion is version {model.registered_version} of base date {model.base_dt},"
        f" {model.bentoml_tag} (decision {record.number}).",
        markup=False,
    )
