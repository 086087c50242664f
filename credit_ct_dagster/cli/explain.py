"""`credit-ct explain`: why a customer has a credit score."""

import json
from typing import Any

import click
from rich.table import Table

from credit_ct_dagster.cli.console import console, hanging, print_table
from credit_ct_dagster.cli.options import examples, model_option
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.errors.inputs import RefusedRowsError, UnknownCustomerError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.operations.model_choice import ChosenModel, chosen_model
from credit_ct_dagster.resources.feature_store.tables import FEATURES
from credit_ct_dagster.scorer.reasons import protected_features


@click.command("explain", epilog=examples("credit-ct explain --customer CUS_0001"))
@click.option("--customer", required=True, metavar="ID", help=f"The {schema.CUSTOMER}.")
@model_option
@click.option(
    "--date", "until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
    help="By the newest features up to this day. [default: the newest of all]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(customer: str, model: str, until: Any, as_json: bool) -> None:
    """Explain the credit score of a customer, by the newest features in the feature store."""
    wiring = wired()
    day = until.strftime("%Y-%m-%d") if until else None
    found = wiring.feature_store.newest_features(customer, day)
    if found is None:
        raise UnknownCustomerError(
            f"The feature store at {wiring.feature_store.location} has no features of this customer"
            + (f" dated {day} or before." if day else ".")
            + f" Check the {schema.CUSTOMER}; credit-ct load brings features."
        )
    chosen = chosen_model(model, wiring)
    explained = _explained(customer, *found, chosen)
    if as_json:
        click.echo(json.dumps(explained, indent=2, ensure_ascii=False))
    else:
        _print(explained, chosen.described)


def _explained(customer: str, date: str, features: Any, chosen: ChosenModel) -> dict[str, Any]:
    problems = chosen.contract.problems(dict(features))
    if problems:
        raise RefusedRowsError(
            f"The features of this customer, dated {date}, cannot be scored:"
            f" {'; '.join(map(str, problems))}. Correct them in the table {FEATURES}."
        )
    row = chosen.contract.features_of(features)
    answer = chosen.packaged.scorer.score(row)
    identity = chosen.packaged.identity
    return {
        schema.CUSTOMER: customer,
        "feature_date": date,
        schema.TARGET: answer.credit_score,
        "is_most_probable": answer.is_most_probable,
        "probabilities": answer.probabilities,
        "reasons": [reason.as_dict() for reason in answer.reasons],
        "compliance_flags": protected_features(answer.reasons),
        "warnings": [warning.as_dict() for warning in chosen.contract.warnings(row)],
        "model": {"tag": identity.bentoml_tag, "base_dt": identity.base_dt},
    }


def _print(explained: dict[str, Any], model: str) -> None:
    def line(text: str) -> None:
        console.print(hanging(text, 0), markup=False)

    line(f"Customer {explained[schema.CUSTOMER]}, by the features of {explained['feature_date']}")
    line(f"Model {model}")
    line("")
    probabilities = Table(schema.TARGET.replace("_", " "), "probability", "", box=None)
    for name, probability in explained["probabilities"].items():
        chosen = name == explained[schema.TARGET]
        probabilities.add_row(name, f"{probability:.4f}", "the answer" if chosen else "")
    print_table(probabilities)
    if not explained["is_most_probable"]:
        line("")
        line(
            "The answer is not the most probable class: the model answers with the class that its"
            " own rule gives, by which it was judged (docs/decisions/0020-one-utility.md)."
        )
    line("")
    if explained["reasons"]:
        reasons = Table("reason", "direction", "contribution", "sentence", box=None)
        for reason in explained["reasons"]:
            contribution = f"{reason['contribution']:.3f}"
            reasons.add_row(
                reason["feature"], reason["direction"], contribution, reason["sentence"]
            )
        print_table(reasons)
    else:
        line("There are no reasons: no class is better.")
    if explained["compliance_flags"]:
        line("")
        line(
            f"Compliance: {', '.join(explained['compliance_flags'])} among the reasons is marked as"
            " protected. Have the answer reviewed before it is used."
        )
    for warning in explained["warnings"]:
        line(f"Note: {warning['field']} {warning['rule']}.")
