"""`credit-ct promote`: a person decides for a model."""

import click

from credit_ct_dagster import stores
from credit_ct_dagster.cli.console import console
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.io_managers.artifacts import MODEL_FOLDER
from credit_ct_dagster.modeling.promotion import Decision, Ground
from credit_ct_dagster.partitions import parse_base_date


@click.command("promote")
@click.option("--partition", required=True, metavar="D", help="Base date of the model, YYYY-MM-DD.")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
def command(partition: str, by: str, reason: str) -> None:
    """Make the model of a base date the champion, whatever the gate says; it is recorded."""
    base_dt = parse_base_date(partition)
    promotions = stores.promotions()
    with promotions.deciding() as deciding:
        summary = stores.artifacts().open(MODEL_FOLDER, base_dt)["summary.json"]
        model = deciding.register(base_dt, summary["mlflow"]["best_run_id"])
        promotions.packages.load(model.bentoml_tag)
        champion = promotions.champion()
        # A person who moved the alias by hand puts that on record.
        recorded = promotions.recorded_champion() == model.version
        if recorded and champion and champion.version == model.version:
            raise CreditCtError(f"The model of base date {base_dt} is the champion already.")
        decision = Decision(True, Ground.person, f"Promoted by {by}: {reason}")
        record = deciding.record(model, decision, by=by, reason=reason)
    console.print(
        f"The champion is version {model.version} of base date {base_dt}, {model.bentoml_tag}"
        f" (record {record['number']}). Materialize champion_model and model_card for {base_dt} to"
        " bring its card up to date.",
        markup=False,
    )
