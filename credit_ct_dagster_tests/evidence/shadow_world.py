"""A platform on which tiny models are promoted, answer customers, and score in the shadow."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.assets.shadow_scores import score_in_shadow
from credit_ct_dagster.contracts.decision import GATE, Comparison, Decision, Ground
from credit_ct_dagster.contracts.files import (
    MONITORING_FOLDER,
    PROBATION_FILE,
    SHADOW_SCORES_FILE,
)
from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.contracts.splits import Scale
from credit_ct_dagster.evidence.evaluated_probation import EvaluatedProbation
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_data

_LOG = logging.getLogger(__name__)
_AGES = {"Poor": 20.0, "Standard": 40.0, "Good": 60.0}
"""A customer's age says what the right class is."""
_SELECTED = dg.AssetSelection.assets("shadow_scores", "champion_probation")
_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})


class _StoppedCalendar(Calendar):
    """A calendar on which time stands still."""

    today: str

    def newest(self, now: datetime | None = None) -> str:
        return self.today


def fitted(right: bool = True) -> CatBoostClassifier:
    """A model of the age: one that is right, or one that takes Poor customers for Good."""
    rows = pd.DataFrame({"age": [*_AGES.values()] * 4})
    labels = [*_AGES] * 4
    if not right:
        labels = ["Good" if each == "Poor" else each for each in labels]
        labels[0] = "Poor"  # all classes are known
    model = CatBoostClassifier(
        iterations=20, learning_rate=0.5, depth=2, allow_writing_files=False, verbose=False,
    )  # fmt: skip
    return model.fit(rows, labels)


def _data() -> ScorerRecord:
    """What the scorer of such a model knows."""
    return any_data().model_copy(
        update={
            "features": ["age"],
            "scales": {"age": Scale(center=0.0, scale=1.0)},
            "typical": {name: {"age": age} for name, age in _AGES.items()},
            "orders": [["age"]],
            "sentences": {
                "age": dict.fromkeys(("higher", "lower", "other", "missing"), "age lowers it.")
            },
        }
    )


def _golden(model: CatBoostClassifier) -> GoldenRows:
    scorer = Scorer(model, _data().model_dump(mode="json"))
    answers = {age: scorer.score({"age": age}, reasons=False) for age in _AGES.values()}
    return GoldenRows(
        rows=[
            GoldenRow(
                kind="typical",
                features={"age": age},
                credit_score=answer.credit_score,
                probabilities=answer.probabilities,
            )
            for age, answer in answers.items()
        ]
    )


@dataclass
class ShadowWorld:
    """What happens on the platform, day by day."""

    platform: Platform
    instance: dg.DagsterInstance
    monkeypatch: pytest.MonkeyPatch
    _served: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def set_clock(self, day: str) -> None:
        """From now on decisions are taken at 09:30 in Seoul of a day."""

        class _Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Self:
                return cls.fromisoformat(f"{day}T00:30:00").replace(tzinfo=UTC)

        self.monkeypatch.setattr("credit_ct_dagster.decisions.deciding.datetime", _Clock)

    def decide(
        self,
        base_dt: str,
        day: str,
        ground: Ground,
        promoted: bool,
        right: bool = True,
        comparison: Comparison | None = None,
    ) -> ModelIdentity:
        """Package and register a model, and decide on it on a day."""
        self.set_clock(day)
        tracking = self.platform.tracking
        run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
        identity = ModelIdentity(
            base_dt=base_dt, mlflow_run_id=run_id, dagster_run_id=base_dt, data_fingerprint="f" * 32
        )
        model = fitted(right)
        self.platform.packages.save(
            model, _data(), identity, _RECORD, metadata={}, golden=_golden(model)
        )
        with self.platform.promotions.deciding() as deciding:
            registered = deciding.register(base_dt, run_id)
            decision = Decision(
                promoted=promoted, ground=ground, sentence=f"{ground}.", comparison=comparison
            )
            deciding.record(registered, decision, by=GATE)
        return registered

    def decide_again(self, model: ModelIdentity, day: str, ground: Ground) -> None:
        """Let the gate decide on a registered model once more."""
        self.set_clock(day)
        with self.platform.promotions.deciding() as deciding:
            deciding.record(model, Decision(promoted=False, ground=ground, sentence=f"{ground}."))

    def serve(self, day: str, model: ModelIdentity, share_right: float, count: int = 60) -> None:
        """Answer customers whose labels come three days later, with a share of right answers."""
        rng = np.random.default_rng(int(day.replace("-", "")))
        truth = rng.choice(schema.CLASSES, count)
        right = rng.random(count) < share_right
        wrong = {"Poor": "Good", "Standard": "Poor", "Good": "Standard"}
        self._served[day] = []
        requests = []
        for place, (label, is_right) in enumerate(zip(truth, right, strict=True)):
            customer = f"P{day[-2:]}{place:04d}"
            self._served[day].append((customer, str(label)))
            requests.append(
                served_rows.request(
                    f"request-{customer}", day, customer,
                    str(label) if is_right else wrong[str(label)],
                    features={"age": _AGES[str(label)] + float(rng.uniform(-3, 3))},
                    model_tag=model.bentoml_tag,
                )
            )  # fmt: skip
        served_rows.log(self.platform.store, *requests)

    def label(self, *days: str) -> None:
        """Let the labels of the answers of some days arrive."""
        for day in days:
            dated = (date.fromisoformat(day) + timedelta(days=3)).isoformat()
            served_rows.label(
                self.platform.store,
                *((customer, customer, dated, label) for customer, label in self._served[day]),
            )

    def evaluate(self, day: str, newest: str | None = None, **config: Any) -> ProbationRecord:
        """Score and evaluate a prediction day on the morning after; what the assets do, at once."""
        newest = newest or day
        self.set_clock((date.fromisoformat(newest) + timedelta(days=1)).isoformat())
        promotions, artifacts = self.platform.promotions, self.platform.artifacts
        served = ServedAnswers(self.platform.store.database, self.platform.model_name)
        rules = ProbationRules(**{"draws": 200, **config})
        shadow = score_in_shadow(day, rules, served, promotions, _LOG)
        artifacts.write(MONITORING_FOLDER, day, {SHADOW_SCORES_FILE: shadow.frame})
        record = EvaluatedProbation(
            promotions,
            artifacts,
            served,
            self.platform.wiring.policy,
            rules,
            day,
            may_decide=day == newest,
            dagster_run_id="run",
            log=_LOG,
        ).record()
        artifacts.write(MONITORING_FOLDER, day, {PROBATION_FILE: record})
        return record

    def materialize(self, day: str, **config: Any) -> dg.ExecuteInProcessResult:
        """Materialize the assets of a prediction day, with their check, on the morning after."""
        self.set_clock((date.fromisoformat(day) + timedelta(days=1)).isoformat())
        return self.platform.materialize(
            self.instance,
            day,
            selection=_SELECTED,
            config={"champion_probation": {"config": {"draws": 200, **config}}},
            calendar=_StoppedCalendar(today=day),
        )

    def record(self, day: str) -> ProbationRecord:
        """What was found of a day."""
        return self.platform.artifacts.open(MONITORING_FOLDER, day).read(ProbationRecord)

    def shadow(self, day: str) -> pd.DataFrame:
        """What was scored in the shadow."""
        frame: pd.DataFrame = self.platform.artifacts.open(MONITORING_FOLDER, day)[
            SHADOW_SCORES_FILE
        ]
        return frame
