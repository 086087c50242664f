"""Which request for an approval a person answers."""

import sys
from datetime import UTC, datetime

import click

from credit_ct_dagster.errors.models import NotAwaitingApprovalError
from credit_ct_dagster.modeling.judging.standing import awaiting, question_of
from credit_ct_dagster.wiring import Wiring

decision_option = click.option(
    "--decision",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="The decision that asks, as the alert and credit-ct history name it. A terminal asks.",
)
"""`--decision`: names the request, since a newer one may have taken its place meanwhile."""


def number_of(wiring: Wiring, question: str) -> int:
    """Ask at a terminal whether it is the request that waits now.

    Args:
        wiring: The platform.
        question: Answered with yes or no.

    Raises:
        NotAwaitingApprovalError: None waits, or there is no terminal to ask.
    """
    request = awaiting(wiring.promotions.records(), datetime.now(UTC))
    if request is None:
        raise NotAwaitingApprovalError("Nothing awaits approval. credit-ct history has the past.")
    if not sys.stdin.isatty():
        raise NotAwaitingApprovalError(
            f"What awaits approval may be another model by now, so name it. {question_of(request)}"
        )
    click.echo(f"Decision {request.number}, on the model of base date {request.model.base_dt}:")
    click.echo(request.decision.sentence)
    click.confirm(question, abort=True)
    return request.number
