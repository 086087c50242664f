"""The decisions of the simulated year: records as the platform writes them, without MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from benchmarks.year_models import YearModel
from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.decisions.tenures import came_back_on, history_of
from credit_ct_dagster.modeling.judging.evidence import examine
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules

Holdouts = Mapping[str, pd.DataFrame]
"""Labelled rows of customers that no model has seen, per window's base date, the newest first."""


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

    def judge(self, challenger: YearModel, holdouts: Holdouts) -> Decision:
        """Apply the gate to a new model."""
        rows, windows = pooled(holdouts)
        champion = self.champion
        evidence = examine(
            rows,
            [challenger.answers(rows), champion.answers(rows)],
            Utility(),
            GateRules(),
            list(holdouts),
            windows,
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
        decision = Decision(promoted=True, ground=Ground.person, sentence="Promoted by a person.")
        self.record(model, decision, time, by="a person")


def pooled(holdouts: Holdouts) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of all windows, and of each the place of its window, shape (rows,)."""
    places = np.repeat(np.arange(len(holdouts)), [len(each) for each in holdouts.values()])
    return pd.concat(holdouts.values(), ignore_index=True), places
