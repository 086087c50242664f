"""The model card: what a person needs to know of one model, on a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.assessment import Assessment
from credit_ct_dagster.modeling.promotion import Ground

_TEMPLATE = "model_card.html.j2"
_PLAIN = {
    Ground.first: "This is the first model that met the bank's minimum standards, so it went into"
    " service.",
    Ground.better: "This model went into service: on customers that neither model had seen, it was"
    " clearly better than the one before.",
    Ground.aged: "This model went into service: the one before had grown old, and this one is no"
    " worse on customers that neither had seen.",
    Ground.worse: "This model did not go into service: on customers that neither model had seen, it"
    " is not better than the one in service.",
    Ground.insufficient_evidence: "This model did not go into service: on customers that neither"
    " model had seen, the difference is too small to be sure of.",
    Ground.below_floor: "This model did not go into service: for some class or group of customers"
    " it misses the bank's minimum standards.",
    Ground.older: "This model did not go into service: a model of a newer day serves already.",
    Ground.cooling_down: "This model did not go into service yet: it is better, but the model in"
    " service was changed only just before.",
    Ground.no_agreement: "This model did not go into service yet: it is better, but the models of"
    " more days must say the same first.",
    Ground.person: "A person decided which model serves; the reason is on record.",
}


@dataclass(frozen=True)
class Lineage:
    """The five names of one model, and the rows it was made from.

    Attributes:
        base_dt: The base date.
        dagster_run_id: The run that packaged it.
        mlflow_run_id: The run that logged it.
        registered_model: The name of the registered model.
        registered_version: Its version.
        bentoml_tag: The package.
        data_fingerprint: A hash of all rows, before they were split.
    """

    base_dt: str
    dagster_run_id: str
    mlflow_run_id: str
    registered_model: str
    registered_version: str
    bentoml_tag: str
    data_fingerprint: str


@dataclass(frozen=True)
class Links:
    """Where a person sees more."""

    dagster_run: str
    mlflow_run: str


@dataclass(frozen=True)
class ModelCard:
    """What stands on the page.

    Attributes:
        lineage: Names the model.
        links: To the runs.
        splits: The summary of the rows: window, counts, labels, quarantine.
        winner: Parameters of the model, and how many trees it has.
        assessments: Per split, `val` and `holdout`.
        calibration: How its probabilities are calibrated.
        log_losses: Per calibration, in cross-validation on validation.
        importances: Mean absolute SHAP value per feature.
        drift: Per column, beside the champion that it was compared with.
        record: The decision on it.
    """

    lineage: Lineage
    links: Links
    splits: Mapping[str, Any]
    winner: Mapping[str, Any]
    assessments: Mapping[str, Assessment]
    calibration: str
    log_losses: Mapping[str, float]
    importances: Mapping[str, float]
    drift: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any]

    def html(self) -> str:
        """The page, which needs no other file."""
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader(__package__),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template(_TEMPLATE).render(
            card=self,
            classes=schema.CLASSES,
            plainly=_PLAIN[Ground(self.record["decision"]["ground"])],
        )
