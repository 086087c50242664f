"""`credit-ct promote`: a person decides for a model."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.deciding import by_option, decided, reason_option
from credit_ct_dagster.cli.options import BaseDate, examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER, SEARCH_SUMMARY_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.models import NothingToDecideError, OverruledFindingsError
from credit_ct_dagster.modeling.judging.objections import evidence_on, objections_to
from credit_ct_dagster.operations.model_choice import not_packaged


@click.command(
    "promote",
    epilog=examples('credit-ct promote --partition 2025-07-01 --by "Jo Kim" --reason "audit 42"'),
)
@click.option(
    "--partition",
    type=BaseDate(trained=True),
    required=True,
    metavar="D",
    help="Base date of the model, YYYY-MM-DD.",
)
@by_option
@reason_option
@click.option("--keep", is_flag=True, help="It is the champion: end its probation, and keep it.")
@click.option(
    "--despite-floors",
    is_flag=True,
    help="Promote it although it is below a floor, of an older base date, worse than the champion,"
    " rejected, or not judged. What applies is named, and goes on record.",
)
def command(partition: str, by: str, reason: str, keep: bool, despite_floors: bool) -> None:
    """Make the model of a base date the champion, whatever the gate decides; it is recorded."""
    wiring = wired()
    base_dt = wiring.calendar.parse(partition)
    promotions = wiring.promotions
    folder = wiring.artifacts.open(MODEL_FOLDER, base_dt)
    if SEARCH_SUMMARY_FILE not in folder:
        raise not_packaged(base_dt)
    run_id = folder.read(SearchSummary).mlflow.best_run_id

    def objections() -> tuple[str, ...]:
        if keep:
            return ()
        return objections_to(base_dt, run_id, promotions.champion(), promotions.records())

    # A person may think for as long as they like: nobody waits for the lock meanwhile.
    accepted = objections()
    if accepted and not despite_floors:
        _confirm(base_dt, accepted)
    with decided(wiring) as deciding:
        found = objections()
        if set(found) - set(accepted) and not despite_floors:
            raise _overruled(base_dt, found)
        served = promotions.champion()
        if keep:
            _require_kept(promotions, base_dt, run_id, served)
        model = deciding.register(base_dt, run_id)
        version = model.registered_version
        # A person who moved the alias by hand puts that on record.
        recorded = promotions.recorded_champion() == version
        serves = recorded and served is not None and served.registered_version == version
        if serves and not keep:
            raise NothingToDecideError(
                f"The model of base date {base_dt} is the champion already. If it is on probation,"
                " and you want to keep it whatever labels say: add --keep."
            )
        despite = f". Despite: {'; '.join(found)}" if found else ""
        decision = Decision(
            promoted=True,
            ground=Ground.person,
            sentence=f"{'Kept' if keep else 'Promoted'} by {by}: {reason}{despite}",
            golden_rows=promotions.require_serves(model),
            despite=found,
            **({} if keep else _evidence(deciding, run_id, served)),
        )
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {version} of base date {base_dt}, {model.bentoml_tag}"
        f" (decision {record.number})."
        + "".join(f"\nDespite: {each}." for each in record.decision.despite),
        markup=False,
    )


def _require_kept(
    promotions: Promotions, base_dt: str, run_id: str, champion: ModelIdentity | None
) -> None:
    """Make sure that to keep a model changes nothing but its probation.

    Raises:
        NothingToDecideError: It is not the champion, or the champion is another package.
    """
    is_champion = (
        champion is not None
        and champion.mlflow_run_id == run_id
        and champion.registered_version == promotions.recorded_champion()
    )
    if champion is None or not is_champion:
        raise NothingToDecideError(
            f"The model of base date {base_dt} is not the champion, so it cannot be kept: promote"
            " it without --keep."
        )
    newest = promotions.packages.newest(base_dt, run_id)
    if newest and newest.bentoml_tag != champion.bentoml_tag:
        raise NothingToDecideError(
            f"The champion of base date {base_dt} was packaged again, as {newest.bentoml_tag}, and"
            f" {champion.bentoml_tag} still serves. To let the new one serve, promote it without"
            " --keep."
        )


def _confirm(base_dt: str, objections: Sequence[str]) -> None:
    """Ask at a terminal.

    Raises:
        OverruledFindingsError: There is none.
    """
    if not sys.stdin.isatty():
        raise _overruled(base_dt, objections)
    click.echo(f"The model of base date {base_dt}:", err=True)
    for each in objections:
        click.echo(f"- {each}", err=True)
    click.confirm("Let it serve all the same?", abort=True, err=True)


def _overruled(base_dt: str, objections: Sequence[str]) -> OverruledFindingsError:
    return OverruledFindingsError(
        f"The model of base date {base_dt} was not promoted: {'; '.join(objections)}. To let it"
        " serve all the same, add --despite-floors: that goes on record."
    )


def _evidence(deciding: Deciding, run_id: str, champion: ModelIdentity | None) -> dict[str, Any]:
    """What the gate had found, which the card goes on showing.

    How the model compares with another champion than the one in service is left out.
    """
    judged = evidence_on(deciding.records, run_id)
    if judged is None:
        return {}
    found, before = judged.decision, judged.before
    runs = [each.mlflow_run_id if each else None for each in (before, champion)]
    compared = {"comparison": found.comparison, "probabilities": found.probabilities}
    return {
        "floors": found.floors,
        "holdouts": found.holdouts,
        **(compared if runs[0] == runs[1] else {}),
    }
