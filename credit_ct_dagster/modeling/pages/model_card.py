"""The model card: what a person needs to know of one model, on a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.drift import ColumnDrift
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.standing import Standing
from credit_ct_dagster.modeling.pages.card_decision import CardDecision
from credit_ct_dagster.modeling.pages.findings import Finding, findings_of
from credit_ct_dagster.modeling.pages.rendering import rendered

_TEMPLATE = "model_card.html.j2"


@dataclass(frozen=True)
class Links:
    """Where a person sees more.

    Attributes:
        dagster_run: Of the run that made the card.
        mlflow_run: Of the run of the model.
        mlflow_served_by: The command after which the latter answers; empty if it does anyway.
    """

    dagster_run: str
    mlflow_run: str
    mlflow_served_by: str = ""


@dataclass(frozen=True)
class ModelCard:
    """What the page shows.

    Attributes:
        lineage: The names of the model, and a hash of its predictions.
        links: To the runs.
        splits: Its rows: window, counts, labels, quarantine.
        search: What it was chosen among; its parameters and trees.
        report: What it does on rows that it has not learned from.
        package: How its probabilities were calibrated, and its classes chosen.
        scorer: What it was trained on, its class rule, and what the bank declared.
        importances: Mean absolute contribution per feature; may be empty.
        drift: Per column, against the champion that it was compared with.
        drift_not_computed: Why there is none although there was a champion.
        record: The decision on it.
        standing: Where it stands by the decisions since.
    """

    lineage: Lineage
    links: Links
    splits: SplitsSummary
    search: SearchSummary
    report: AssessmentReport
    package: PackageRecord
    scorer: ScorerRecord
    importances: Mapping[str, float]
    drift: Sequence[ColumnDrift]
    drift_not_computed: str | None
    record: DecisionRecord
    standing: Standing

    @property
    def parameters(self) -> dict[str, Any]:
        """What the model was fitted with, and its trees; what all candidates shared comes last."""
        best = self.search.best
        shared = {
            name: value for name, value in best.fixed.items() if name not in ("monotone", "text")
        }
        if "iterations" in shared:
            shared["iterations, at most"] = shared.pop("iterations")
        return {
            **best.params,
            "trees": best.iterations,
            "preset": self.search.preset,
            "monotone": "yes" if self.is_monotone else "no",
            "text": best.fixed.get("text", "native"),
            **shared,
        }

    @property
    def is_monotone(self) -> bool:
        """Whether no class of the model gets better as a declared risk rises."""
        return bool(self.search.best.fixed.get("monotone"))

    @property
    def candidates(self) -> int:
        """How many models the best one was chosen among."""
        return self.search.trials.completed + self.search.trials.pruned

    @property
    def excluded(self) -> list[str]:
        """Features of the schema that the model was not trained on."""
        return [name for name in schema.FEATURES if name not in self.scorer.features]

    @property
    def findings(self) -> list[Finding]:
        """What to look at first."""
        return findings_of(self.record.decision, self.report, self.drift, self.splits)

    def html(self) -> str:
        """The page, which needs no other file."""
        return rendered(
            _TEMPLATE,
            card=self,
            classes=schema.CLASSES,
            decisions=CardDecision(self.record, self.standing),
        )
