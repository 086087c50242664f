"""A model card of records made by hand."""

from datetime import UTC, datetime
from typing import Any

from credit_ct_dagster.contracts.assessment import (
    Assessment,
    AssessmentReport,
    Monotonicity,
    ProbabilityQuality,
    ReasonStability,
    RuleEffect,
    RuleMetrics,
)
from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    DecisionRecord,
    Estimate,
    Floor,
    FloorVerdict,
    Ground,
    ProbabilityComparison,
)
from credit_ct_dagster.contracts.fairness import Fairness, GroupFairness
from credit_ct_dagster.contracts.identity import Lineage, ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import CalibrationData, ScorerRecord
from credit_ct_dagster.contracts.search import BestModel, MlflowRuns, SearchSummary, TrialCounts
from credit_ct_dagster.contracts.splits import Quarantine, SplitsSummary
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.standing import standing_since
from credit_ct_dagster.modeling.pages.model_card import Links, ModelCard
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY

BEFORE = ModelIdentity(
    base_dt="2025-01-30",
    mlflow_run_id="run-before",
    dagster_run_id="dagster-before",
    data_fingerprint="f" * 32,
    bentoml_tag="m:before",
    registered_version="1",
)
MODEL = BEFORE.model_copy(
    update={
        "base_dt": "2025-01-31",
        "mlflow_run_id": "run-now",
        "bentoml_tag": "m:now",
        "registered_model": "m",
        "registered_version": "2",
        "package_sha256": "a" * 64,
    }
)
COMPARISON = Comparison(
    metric=Metric.macro_f1,
    challenger=0.75,
    champion=0.70,
    difference=Estimate(value=0.05, low=0.01, high=0.09),
    rows=661,
    customers=650,
    differing=61,
)


def estimate(value: float, half: float = 0.03) -> Estimate:
    """A value in the middle of its interval."""
    return Estimate(value=value, low=value - half, high=value + half)


def probabilities(low: float, high: float) -> ProbabilityComparison:
    """A comparison of log-losses, by the ends of the interval of the difference."""
    return ProbabilityComparison(
        challenger=0.8,
        champion=0.8 + (low + high) / 2,
        challenger_ece=0.03,
        champion_ece=0.13,
        difference=Estimate(value=(low + high) / 2, low=low, high=high),
        confidence=0.99,
        rows=661,
    )


def floor(what: str, verdict: FloorVerdict, **more: Any) -> Floor:
    """A floor of 0.4, and how a value compares with it."""
    value = 0.7 if verdict == FloorVerdict.met else 0.3
    return Floor(what=what, value=value, least=0.4, rows=80, verdict=verdict, **more)


def decided(**changes: Any) -> DecisionRecord:
    """A decision of the gate to promote; with changes to what was decided."""
    decision = {
        "promoted": True,
        "ground": Ground.better,
        "sentence": "Promoted: better.",
        "comparison": COMPARISON,
        "probabilities": probabilities(-0.01, 0.02),
        "floors": [floor("recall of Good", FloorVerdict.met, champion=0.6)],
        "holdouts": ("2025-01-31", "2024-12-31"),
        "golden_rows": 32,
    }
    return DecisionRecord(
        number=2,
        time=datetime(2025, 2, 1, 6, tzinfo=UTC),
        by="gate",
        reason=None,
        dagster_run_id="dagster-now",
        model=MODEL,
        before=BEFORE,
        decision=Decision(**decision | changes),
        champion="2",
        previous="1",
    )


def assessment(**changes: Any) -> Assessment:
    """What was measured on one split."""
    ways = [
        RuleMetrics(
            accuracy=accuracy,
            macro_f1=macro_f1,
            recall={"Poor": 0.7, "Standard": 0.8, "Good": good},
            predicted={"Poor": 200, "Standard": 361, "Good": 100},
        )
        for accuracy, macro_f1, good in ((0.74, 0.70, 0.43), (0.75, 0.73, 0.65))
    ]
    values = {
        "rows": 661,
        "customers": 650,
        "metrics": {
            name: estimate(0.75)
            for name in ("accuracy", "macro_f1", "recall_poor", "recall_standard", "recall_good")
        },
        "confusion": [[163, 38, 18], [47, 269, 44], [2, 4, 76]],
        "calibrated": ProbabilityQuality(log_loss=0.51, brier=0.31, ece=0.03),
        "raw": ProbabilityQuality(log_loss=0.52, brier=0.32, ece=0.06),
        "reliability": {name: [(0.1, 0.12), (0.8, 0.79)] for name in schema.CLASSES},
        "perfect_ece": Estimate(value=0.029, low=0.014, high=0.046),
        "rule": RuleEffect(
            rule=EXPECTED_UTILITY,
            rows=661,
            changed=86,
            highest_score=ways[0],
            package=ways[1],
            moved=[[0, 0, 0]] * 3,
        ),
    }
    return Assessment(**values | changes)


def group(name: str, ratio: float, p_value: float) -> GroupFairness:
    """A group of 100 rows, by its ratio to the rest."""
    return GroupFairness(
        kind="occupation",
        name=name,
        rows=100,
        accuracy=0.7,
        favourable=0.2 * ratio,
        rest=0.2,
        ratio=estimate(ratio),
        p_value=p_value,
        truly_good=20,
        recall_good=estimate(0.6),
    )


def report(**changes: Any) -> AssessmentReport:
    """What was measured of a model."""
    values = {
        "val": assessment(metrics={**assessment().metrics, "accuracy": estimate(0.78)}),
        "holdout": assessment(),
        "monotonicity": [
            Monotonicity(
                feature="num_of_delayed_payment",
                risk="rises",
                rows=661,
                values=19,
                better=0.123,
                between=0.081,
            )
        ],
        "reasons": ReasonStability(
            base_dt="2025-01-30", rows=379, shared=estimate(0.6), same_first=0.9
        ),
        "fairness": Fairness(
            groups=[group("Doctor", 0.95, 1.0)],
            rows=1_300,
            customers=1_250,
            base_dts=["2025-01-31", "2024-12-31"],
        ),
    }
    return AssessmentReport(**values | changes)


def scorer(**changes: Any) -> ScorerRecord:
    """What a scorer knows: weighted probabilities, all features, age protected."""
    values = {
        "features": schema.FEATURES,
        "categorical": schema.CATEGORICAL,
        "text": schema.TEXT,
        "scales": {},
        "missing_word": schema.MISSING_WORD,
        "classes": schema.CLASSES,
        "class_rule": EXPECTED_UTILITY,
        "gains": [[1.5, 0, 0], [0, 1, 0], [0, 0, 2]],
        "utility": Utility(),
        "calibration": CalibrationData(method="none"),
        "typical": {},
        "orders": [],
        "sentences": {},
        "protected": ["age"],
        "limits": {},
    }
    return ScorerRecord(**values | changes)


def splits(rows_set_aside: int = 0) -> SplitsSummary:
    """What the splits hold."""
    counts = {"train": 3_397, "val": 674, "holdout": 661}
    return SplitsSummary(
        base_dt=MODEL.base_dt,
        window="2025-01-01 to 2025-01-31",
        data_fingerprint="f" * 32,
        fingerprints={},
        scalers_fingerprint="",
        rows=counts,
        customers=counts,
        labels={name: dict.fromkeys(schema.CLASSES, rows // 3) for name, rows in counts.items()},
        seen_share=0.85,
        quarantine=Quarantine(
            rows=rows_set_aside,
            share=0,
            max_share=0.1,
            per_rule={},
            sentence=f"{rows_set_aside} rows are set aside.",
        ),
    )


def search(completed: int = 60, pruned: int = 155) -> SearchSummary:
    """A search, by how its trials ended; one failed."""
    return SearchSummary(
        base_dt=MODEL.base_dt,
        model_name="m",
        rows={},
        best=BestModel(params={"depth": 6}, iterations=217, val={}, holdout={}),
        trials=TrialCounts(
            total=completed + pruned + 1, completed=completed, pruned=pruned, failed=1
        ),
        seconds={},
        mlflow=MlflowRuns(experiment_id="1", parent_run_id="0", best_run_id="run-now"),
        dagster_run_id="dagster-now",
        data_fingerprint="f" * 32,
        fingerprints={},
        scalers_fingerprint="",
        seen_share=0.85,
    )


def package(**changes: Any) -> PackageRecord:
    """The facts stored with a package."""
    values: dict[str, Any] = {
        "seen_share": 0.85,
        "calibration": "sigmoid",
        "log_loss_per_calibration": {"none": 0.81, "sigmoid": 0.80},
        "class_weights": "start",
        "macro_f1_per_rule": {"highest_score": 0.64, "start": 0.67},
        "calibrated_on": MODEL.base_dt,
    }
    return PackageRecord(**values | changes)


def card(**changes: Any) -> ModelCard:
    """The card of a model that was promoted, with changes to its fields."""
    record = changes.get("record") or decided()
    fields: dict[str, Any] = {
        "standing": standing_since(record, [record], record.time),
        "lineage": Lineage(**MODEL.model_dump(), predictions_sha256="e" * 64, predicted_rows=661),
        "links": Links(dagster_run="http://dagster/run", mlflow_run="http://mlflow/run"),
        "splits": splits(),
        "search": search(),
        "report": report(),
        "package": package(),
        "scorer": scorer(),
        "importances": {"credit_mix": 3.9, "age": 0.1},
        "drift": [],
        "drift_not_computed": None,
        "record": record,
    }
    return ModelCard(**fields | changes)
