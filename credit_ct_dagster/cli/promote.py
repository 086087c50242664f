"""`credit-ct promote`: a person decides for a model."""

import click

from credit_ct_dagster.cli.console import console, silence_libraries
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.errors.models import NothingToDecideError


@click.command("promote")
@click.option("--partition", required=True, metavar="D", help="Base date of the model, YYYY-MM-DD.")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@click.option("--keep", is_flag=True, help="It is the champion: end its probation, and keep it.")
def command(partition: str, by: str, reason: str, keep: bool) -> None:
    """Make the model of a base date the champion, whatever the gate decides; it is recorded."""
    silence_libraries()
    wiring = wired()
    base_dt = wiring.calendar.parse(partition)
    promotions = wiring.promotions
    with promotions.deciding() as deciding:
        search = wiring.artifacts.open(MODEL_FOLDER, base_dt).read(SearchSummary)
        model = deciding.register(base_dt, search.mlflow.best_run_id)
        champion = promotions.champion()
        version = model.registered_version
        # A person who moved the alias by hand puts that on record.
        recorded = promotions.recorded_champion() == version
        serves = recorded and champion is not None and champion.registered_version == version
        if serves and not keep:
            raise NothingToDecideError(
                f"The model of base date {base_dt} is the champion already. If it is on probation,"
                " and you want to keep it whatever labels say: add --keep."
            )
        if keep and not serves:
            raise NothingToDecideError(
                f"The model of base date {base_dt} is not the champion, so it cannot be kept:"
                " promote it without --keep."
            )
        decision = Decision(
            promoted=True,
            ground=Ground.person,
            sentence=f"{'Kept' if keep else 'Promoted'} by {by}: {reason}",
            golden_rows=promotions.require_serves(model),
        )
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {version} of base date {base_dt}, {model.bentoml_tag}"
        f" (decision {record.number}). Materialize champion_model and model_card for {base_dt} to"
        " bring its card up to date.",
        markup=False,
    )
