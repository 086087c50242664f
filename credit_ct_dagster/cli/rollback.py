"""`credit-ct rollback`: the previous champion serves again."""

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.deciding import by_option, decided, reason_option
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.decisions.probation import roll_back


@click.command(
    "rollback", epilog=examples('credit-ct rollback --by "Jo Kim" --reason "recall of Poor fell"')
)
@by_option
@reason_option
def command(by: str, reason: str) -> None:
    """Let the previous champion serve again; it is recorded.

    The model that goes does not come back by another rollback, but by credit-ct promote.
    """
    wiring = wired()
    with decided(wiring) as deciding:
        record = roll_back(
            wiring.promotions,
            deciding,
            by=by,
            ground=Ground.rolled_back,
            sentence=f"Rolled back by {by}: {reason}",
            reason=reason,
        )
    model = record.model
    console.print(
        f"The champion is version {model.registered_version} of base date {model.base_dt},"
        f" {model.bentoml_tag}, again (decision {record.number}).",
        markup=False,
    )
