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
def command(partition: str, by: str, reason: str) -> None:
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
        if recorded and champion and champion.registered_version == version:
            raise NothingToDecideError(f"The model of base date {base_dt} is the champion already.")
        decision = Decision(
            promoted=True,
            ground=Ground.person,
            sentence=f"Promoted by {by}: {reason}",
            golden_rows=promotions.require_serves(model),
        )
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {version} of base date {base_dt}, {model.bentoml_tag}"
        f" (decision {record.number}). Materialize champion_model and model_card for {base_dt} to"
        " bring its card up to date.",
        markup=False,
    )
