"""The decisions of the simulated year: records as the platform writes them, without MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from benchmarks.year_models import MODEL_NAME, YearModel
from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling.judging.evidence import examine
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.tenures import came_back_on, history_of


@dataclass
class Decisions:
    """The champion, and every decision that led there.

    Attributes:
        models: Every model, by its registered version.
        records: The decisions, oldest first.
    """

    models: dict[str, YearModel] = field(default_factory=dict)
    records: list[DecisionRecord] = field(default_factory=list)

    @property
    def champion(self) -> YearModel:
        """The model that serves."""
        return self.models[self.records[-1].champion or ""]

    @property
    def previous(self) -> YearModel | None:
        """The one before."""
        version = self.records[-1].previous
        return self.models[version] if version else None

    def of_run(self, mlflow_run_id: str) -> YearModel:
        """The model of a run."""
        return next(
            each for each in self.models.values() if each.identity.mlflow_run_id == mlflow_run_id
        )

    def record(
        self, model: YearModel, decision: Decision, time: datetime, by: str = GATE
    ) -> DecisionRecord:
        """Record a decision, as `Deciding.record` does."""
        self.models.setdefault(model.identity.registered_version, model)
        before = self.records[-1] if self.records else None
        serves = model.identity.registered_version if decision.promoted else None
        champion = before.champion if before else None
        previous = before.previous if before else None
        if serves and serves != champion:
            champion, previous = serves, champion
        made = DecisionRecord(
            number=len(self.records) + 1,
            time=time,
            by=by,
            reason=None,
            dagster_run_id=None,
            model=model.identity,
            before=self.champion.identity if before else None,
            decision=decision,
            champion=champion,
            previous=previous,
        )
        self.records.append(made)
        return made

    def judge(self, challenger: YearModel, holdouts: Sequence[pd.DataFrame]) -> Decision:
        """Apply the gate.

        Args:
            challenger: The new model.
            holdouts: Labelled rows of customers that no model has seen, per window, the newest
                first.
        """
        rows = pd.concat(holdouts, ignore_index=True)
        champion = self.champion
        evidence = examine(
            rows,
            [challenger.answers(rows), champion.answers(rows)],
            Utility(),
            GateRules(),
            windows=np.repeat(np.arange(len(holdouts)), [len(each) for each in holdouts]),
        )
        return decide(
            challenger.identity.base_dt,
            champion.identity,
            evidence,
            history_of(self.records, champion.identity),
            GateRules(),
            came_back_on(self.records),
        )

    def begin(self, model: YearModel, time: datetime) -> None:
        """Make the first model the champion."""
        decision = Decision(promoted=True, ground=Ground.first, sentence="Promoted: the first.")
        self.record(model, decision, time)

    def force(self, model: YearModel, time: datetime) -> None:
        """Promote a model, as a person may."""
        decision = Decision(
            promoted=True, ground=Ground.person, sentence=f"Promoted by a person of {MODEL_NAME}."
        )
        self.record(model, decision, time, by="a person")
