"""How commands decide: under the lock, and at once visible in Dagster and on the model cards."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unicodedata import normalize

import click
import dagster as dg

from credit_ct_dagster.contracts.decision import PLATFORM
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster.operations.shown_decisions import ShownDecisions
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.wiring import Wiring

_LONGEST = {"--by": 100, "--reason": 2000}
"""Characters that fit where it is shown: tables, cards, Dagster, and MLflow's descriptions."""
_ASKED = {"--by": "a name", "--reason": "a reason in words"}
_JOINERS = {0x200C: None, 0x200D: None}
"""They join letters of Persian and Indic names, and cannot be seen in others."""

logger = logging.getLogger(__name__)


def _words(_: click.Context, param: click.Parameter, text: str) -> str:
    """On one line, as records and tables have it."""
    words = " ".join(text.split())
    if not words:
        raise click.BadParameter(f"{param.metavar} must not be blank: it goes on record.")
    if not any(each.isalnum() for each in words):
        asked = _ASKED[param.opts[0]]
        raise click.BadParameter(f"'{words}' has no letter: give {asked}, which goes on record.")
    if not words.translate(
        _JOINERS
    ).isprintable():  # on terminals and pages it would look like another text
        raise click.BadParameter(f"{param.metavar} has characters that cannot be seen.")
    longest = _LONGEST[param.opts[0]]
    if len(words) > longest:
        raise click.BadParameter(
            f"{param.metavar} has {len(words):,} characters; {longest:,} are possible."
        )
    return words


def _name(context: click.Context, param: click.Parameter, text: str) -> str:
    name = _words(context, param, text)
    if normalize("NFKC", name).translate(_JOINERS).casefold() in PLATFORM:
        raise click.BadParameter(f"'{name}' is a name of the platform's own: give a person's.")
    return name


by_option = click.option(
    "--by", required=True, metavar="NAME", callback=_name, help="Who decides; it goes on record."
)
"""`--by`: a person's name."""
reason_option = click.option(
    "--reason", required=True, metavar="TEXT", callback=_words, help="Why; it goes on record."
)
"""`--reason`: a sentence of that person."""


@contextmanager
def decided(wiring: Wiring) -> Iterator[Deciding]:
    """Hold the lock for decisions; in the end, show what was recorded meanwhile.

    That a decision cannot be shown is a warning: it stands.

    Raises:
        LockUnavailableError: The database does not answer.
    """
    with ExitStack() as stack:
        opened: list[dg.DagsterInstance] = []

        def observe(observation: dg.AssetObservation) -> None:
            if not opened:
                opened.append(stack.enter_context(configured_instance()))
            opened[0].report_runless_asset_event(observation)

        shown = ShownDecisions(wiring.promotions, wiring.dagster_ui, observe, logger)
        yield stack.enter_context(shown.deciding())
