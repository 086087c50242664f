"""What a search found."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from credit_ct_dagster.contracts.files import SEARCH_SUMMARY_FILE
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.splits import SplitsSummary


class BestModel(Part):
    """The model that a search found.

    Attributes:
        params: The searched parameters, by CatBoost's names.
        iterations: Its trees.
        trees: Trees of each of its CatBoost models, several for `monotone: true`; empty in records
            of release 0.1, as the next one: such a model cannot be fitted again to more rows.
        fixed: What all candidates shared, by CatBoost's names, and `monotone` and `text`.
        val: Its metrics on the validation rows.
        holdout: Its metrics on the holdout.
    """

    params: Mapping[str, int | float]
    iterations: int
    val: Mapping[str, float]
    holdout: Mapping[str, float]
    trees: Sequence[int] = Field(default_factory=list)
    fixed: Mapping[str, Any] = Field(default_factory=dict)


class TrialCounts(Part):
    """How many trials a search had, in all and by how they ended."""

    total: int
    completed: int
    pruned: int
    failed: int


class MlflowRuns(Part):
    """Where a search is recorded in MLflow."""

    experiment_id: str
    parent_run_id: str
    best_run_id: str


class SearchSummary(Record):
    """What the steps after a search, commands and people read of it.

    Attributes:
        base_dt: The base date.
        model_name: The name of the model.
        rows: Rows per split.
        best: The best model.
        trials: How many trials, by how they ended.
        seconds: Seconds per part of the search.
        mlflow: Where it is recorded.
        dagster_run_id: The run that searched.
        data_fingerprint: Of the merged rows; this and the next three as in `SplitsSummary`.
        fingerprints: Per split.
        scalers_fingerprint: Of the scalers.
        seen_share: Share of customers that the model has seen.
        features: What the model is trained on; empty in records of release 0.1, when it was all
            features of the schema.
        preset: The preset of the search.
        other_kinds: Per split, how many rows list a kind that the model counts as any other: no
            training row has it, or it is not declared; empty where texts are not counted.
    """

    FILE: ClassVar[str] = SEARCH_SUMMARY_FILE
    REMEDY: ClassVar[str] = "materialize tuned_runs for this base date"

    base_dt: str
    model_name: str
    rows: Mapping[str, int]
    best: BestModel
    trials: TrialCounts
    seconds: Mapping[str, float]
    mlflow: MlflowRuns
    dagster_run_id: str
    data_fingerprint: str
    fingerprints: Mapping[str, str]
    scalers_fingerprint: str
    seen_share: float
    features: Sequence[str] = Field(default_factory=list)
    preset: str = "bank"
    other_kinds: Mapping[str, int] = Field(default_factory=dict)

    def searched(self, splits: SplitsSummary) -> bool:
        """Whether this search was made with the splits that a summary describes."""
        return (self.data_fingerprint, self.scalers_fingerprint, dict(self.fingerprints)) == (
            splits.data_fingerprint, splits.scalers_fingerprint, dict(splits.fingerprints),
        )  # fmt: skip
