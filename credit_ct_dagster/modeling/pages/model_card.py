"""The model card: what a person needs to know of one model, on a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2

from credit_ct_dagster.contracts.assessment import Assessment
from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster.contracts.drift import ColumnDrift
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import BestModel
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.modeling import schema

_TEMPLATE = "model_card.html.j2"
_PLAIN = {
    Ground.first: "This model went into service: it is the first one that meets the bank's minimum"
    " standards.",
    Ground.better: "This model went into service: on customers that neither model has seen, it is"
    " clearly better than its predecessor.",
    Ground.aged: "This model went into service: its predecessor had grown old, and on customers"
    " that neither model has seen, this one is not worse.",
    Ground.worse: "This model did not go into service: on customers that neither model has seen, it"
    " is not better than the model in service.",
    Ground.insufficient_evidence: "This model did not go into service: on customers that neither"
    " model has seen, the difference to the model in service is too small to be certain.",
    Ground.below_floor: "This model did not go into service: for at least one class or group of"
    " customers, it does not meet the bank's minimum standards.",
    Ground.older: "This model did not go into service: the model in service is of a more recent"
    " base date.",
    Ground.cooling_down: "This model did not go into service yet: it is better, but the model in"
    " service was replaced only recently.",
    Ground.no_agreement: "This model did not go into service yet: it is better, but the models of"
    " more base dates must confirm that first.",
    Ground.package_does_not_serve: "This model did not go into service: when it was started for a"
    " trial, it did not answer as it had been judged.",
    Ground.registered_again: "This model was registered again, because somebody had deleted its"
    " version; which model is in service did not change.",
    Ground.person: "A person decided which model is in service; the reason is on record.",
}


@dataclass(frozen=True)
class Links:
    """Where a person sees more."""

    dagster_run: str
    mlflow_run: str


@dataclass(frozen=True)
class ModelCard:
    """What the page shows.

    Attributes:
        lineage: The names of the model.
        links: To the runs.
        splits: Its rows: window, counts, labels, quarantine.
        best: Its parameters and trees.
        assessments: Per split, `val` and `holdout`.
        calibration: How its probabilities are calibrated.
        log_losses: Per calibration, in cross-validation on validation.
        importances: Mean absolute contribution per feature; may be empty.
        drift: Per column, against the champion that it was compared with.
        drift_not_computed: Why there is none although there was a champion.
        record: The decision on it.
    """

    lineage: ModelIdentity
    links: Links
    splits: SplitsSummary
    best: BestModel
    assessments: Mapping[str, Assessment]
    calibration: str
    log_losses: Mapping[str, float]
    importances: Mapping[str, float]
    drift: Sequence[ColumnDrift]
    drift_not_computed: str | None
    record: DecisionRecord

    @property
    def parameters(self) -> dict[str, float]:
        """What the model was fitted with, and its trees."""
        return {**self.best.params, "trees": self.best.iterations}

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
            plainly=_PLAIN[self.record.decision.ground],
        )
