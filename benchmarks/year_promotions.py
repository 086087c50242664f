"""Decisions of the simulated year for the platform's own probation, without MLflow and BentoML."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from benchmarks.year_decisions import Decisions, Holdouts, pooled
from benchmarks.year_models import YearModel
from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.evidence.evaluated_probation import EvaluatedProbation
from credit_ct_dagster.evidence.judged_models import AnsweredHoldouts
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.model_policy import ModelPolicy

logger = logging.getLogger(__name__)


@dataclass
class YearPromotions:
    """What `Promotions` is to a probation: the decisions, and whoever may take one.

    Packages are models in memory; all of them serve.

    Attributes:
        decisions: Of the year.
        now: When what is decided is decided.
        packages: Tells of no package that was calibrated on other rows.
    """

    decisions: Decisions
    now: datetime
    packages: Any = field(default_factory=lambda: SimpleNamespace(packaged=lambda base_dt: []))

    def records(self) -> list[DecisionRecord]:
        """Every decision, oldest first."""
        return list(self.decisions.records)

    def champion(self) -> ModelIdentity | None:
        """The model that serves."""
        return self.decisions.champion.identity

    def previous(self) -> ModelIdentity | None:
        """The model that served before."""
        previous = self.decisions.previous
        return previous.identity if previous else None

    def newest_package(self, model: ModelIdentity) -> ModelIdentity:
        """No model is packaged twice."""
        return model

    def load(self, model: ModelIdentity) -> YearModel:
        """A model with its scorer."""
        return self.decisions.of_run(model.mlflow_run_id)

    def require_serves(self, model: ModelIdentity) -> int | None:
        """Every model does, without golden rows."""
        return None

    def if_it_serves(self, model: ModelIdentity, decision: Decision) -> Decision:
        """Every model does."""
        return decision

    @contextmanager
    def deciding(self, log: logging.Logger = logger) -> "Iterator[YearPromotions]":
        """Nobody else decides."""
        yield self

    def record(
        self,
        model: ModelIdentity,
        decision: Decision,
        *,
        by: str = GATE,
        reason: str | None = None,
        dagster_run_id: str | None = None,
    ) -> DecisionRecord:
        """Record a decision."""
        return self.decisions.record(self.load(model), decision, self.now, by)


@dataclass(frozen=True)
class YearJudge:
    """Answers of two models to the holdouts that the gate had.

    Attributes:
        decisions: Know the models.
        holdouts: Those that the gate had, per base date.
    """

    decisions: Decisions
    holdouts: Mapping[str, Holdouts]

    def answered_holdouts(
        self, challenger: ModelIdentity, champion: ModelIdentity, base_dt: str
    ) -> AnsweredHoldouts:
        """The rows of all windows with both models' answers."""
        rows, windows = pooled(self.holdouts[base_dt])
        models = [self.decisions.of_run(each.mlflow_run_id) for each in (challenger, champion)]
        return AnsweredHoldouts(
            rows, windows, [each.answers(rows) for each in models], list(self.holdouts[base_dt])
        )


def evaluated(
    promotions: YearPromotions,
    judge: YearJudge,
    artifacts: ArtifactsIOManager,
    served: ServedAnswers,
    rules: ProbationRules,
    day: str,
) -> ProbationRecord:
    """Evaluate a day as the platform does, and decide what is beyond doubt.

    Args:
        promotions: The decisions.
        judge: Has the holdouts of challengers.
        artifacts: Where shadow scores and earlier evaluations are.
        served: The answers.
        rules: Of the probation.
        day: The newest prediction day.
    """
    in_memory: tuple[Any, Any] = promotions, judge
    evaluation = EvaluatedProbation(
        in_memory[0],
        artifacts,
        served,
        ModelPolicy(),
        rules,
        day,
        may_decide=True,
        dagster_run_id="",
        log=logger,
        judge=in_memory[1],
    )
    return evaluation.record()
