"""`credit-ct reject`: a model that awaits approval does not serve."""

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.deciding import by_option, decided, reason_option
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.requested import decision_option, number_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.decisions.approvals import reject


@click.command(
    "reject",
    epilog=examples('credit-ct reject --decision 12 --by "Jo Kim" --reason "audit is open"'),
)
@decision_option
@by_option
@reason_option
def command(decision: int | None, by: str, reason: str) -> None:
    """Refuse the model that awaits approval; the champion stays, and it is recorded."""
    wiring = wired()
    number = decision or number_of(wiring, "Refuse it?")
    with decided(wiring) as deciding:
        record = reject(deciding, number, by=by, reason=reason)
    console.print(
        f"The model of base date {record.model.base_dt} is not promoted (decision"
        f" {record.number}).",
        markup=False,
    )
