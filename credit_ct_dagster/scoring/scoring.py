"""The scores of a base date: from the feature table, by the champion, to the table of scores."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary, TrainingShares
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.splits import Limits, Quarantine
from credit_ct_dagster.errors.inputs import TooManyRefusedRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.quarantine import CheckedRows
from credit_ct_dagster.modeling.rows.row_rules import RowRules, rules_of
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers, KeyRange, RowsToScore
from credit_ct_dagster.resources.feature_store.scores import (
    AnswersFile,
    CustomerScores,
    ScoredBy,
)
from credit_ct_dagster.resources.feature_store.tables import FEATURES
from credit_ct_dagster.rounding import told_apart
from credit_ct_dagster.serving.batch import ScoredChunk, score_chunk

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.scorer import Scorer

Chunks = Callable[[list[KeyRange]], Iterator[ScoredChunk]]


@dataclass(frozen=True)
class PinnedModel:
    """The model that scores all rows, whatever is promoted meanwhile.

    Attributes:
        identity: The champion when the run began.
        scorer: Scores raw rows.
        limits: By which its training rows were chosen, and by which rows are refused.
    """

    identity: ModelIdentity
    scorer: "Scorer"
    limits: Mapping[str, Limits]

    @property
    def rules(self) -> RowRules:
        """What a row must satisfy."""
        return rules_of(self.limits)


@dataclass(frozen=True)
class ScoringRequest:
    """What to score.

    Attributes:
        model_name: Whose scores are replaced (MODEL_NAME).
        base_dt: The base date.
        customers: Which feature rows.
        reasons: Whether to give reasons.
        chunk_rows: About how many rows are in memory at a time.
        max_quarantined_share: Of the rows, 0 to 1; with more, nothing is written.
        dagster_run_id: The run that scores.
        scheduler: Address of the Dask scheduler whose workers score; none: this process does.
    """

    model_name: str
    base_dt: str
    customers: Customers
    reasons: bool
    chunk_rows: int
    max_quarantined_share: float
    dagster_run_id: str
    scheduler: str | None = None


@dataclass
class Scoring:
    """What became of the rows.

    Attributes:
        summary: Without the comparison with the training rows.
        quarantined: The rows that were not scored, with their reasons.
        too_many: Why nothing was written; None if the scores were.
    """

    summary: CustomerScoresSummary
    quarantined: pd.DataFrame
    too_many: TooManyRefusedRowsError | None = None


def score_customers(
    request: ScoringRequest, model: PinnedModel, database: Database, log: logging.Logger
) -> Scoring:
    """Score the rows of a base date, and replace its scores in one transaction.

    Args:
        request: What to score.
        model: What scores.
        database: Holds the feature table and the table of scores.
        log: Reports the progress.

    Raises:
        UnusablePackageError: The model takes a column that the feature table does not have.
        FeatureStoreError: The database does not answer, or refuses a statement.
        DaskUnavailableError: The scheduler does not answer, or has no workers.
    """
    started, scored_at = time.perf_counter(), datetime.now(UTC).replace(microsecond=0)
    rows = RowsToScore(database, request.base_dt, request.customers)
    found = rows.ranges(request.chunk_rows)
    log.info(f"{found.rows:,} feature rows to score, in {len(found.ranges)} ranges of keys")
    counted = _Counted(found.rows, request.max_quarantined_share)
    with AnswersFile() as answers:
        with _workers(request, model, rows) as chunks:
            for chunk in chunks(list(found.ranges)):
                answers.append(chunk.answers)
                counted.add(chunk)
                log.info(f"{counted.rows:,} of {found.rows:,} rows scored")
                if counted.too_many:
                    break
        if not counted.too_many:
            CustomerScores(database, request.model_name).replace(
                request.base_dt, answers, _scored_by(model.identity, request, scored_at)
            )
    summary = counted.summary(request, model.identity, scored_at, time.perf_counter() - started)
    too_many = TooManyRefusedRowsError(_why_refused(summary)) if counted.too_many else None
    return Scoring(summary, counted.quarantined(), too_many)


def training_shares(
    labels: Mapping[str, int], train: pd.DataFrame, model: PinnedModel, classes: Mapping[str, int]
) -> TrainingShares:
    """What scores are compared with.

    Args:
        labels: Rows per class among the training rows.
        train: The raw training rows of the model.
        model: The model that scored.
        classes: Scored rows per class.
    """
    from credit_ct_dagster.modeling.judging.drift import prediction_drift

    if not sum(classes.values()):
        return TrainingShares(labels=labels, drift=None)
    predicted = model.scorer.score_rows(train).classes
    scored = pd.Series(list(classes)).repeat(list(classes.values())).to_numpy()
    return TrainingShares(labels=labels, drift=prediction_drift(predicted, scored))


def _workers(
    request: ScoringRequest, model: PinnedModel, rows: RowsToScore
) -> AbstractContextManager[Chunks]:
    if request.scheduler:
        # Dask takes a second to import, which only these runs need.
        from credit_ct_dagster.scoring.dask_workers import DaskScoring, SharedScoring

        shared = SharedScoring.of(
            request.base_dt, request.customers, request.reasons, model.scorer, model.rules
        )
        return DaskScoring(request.scheduler, shared)
    return nullcontext(
        lambda ranges: (
            score_chunk(rows.read(keys), model.scorer, model.rules, reasons=request.reasons)
            for keys in ranges
        )
    )


def _scored_by(model: ModelIdentity, request: ScoringRequest, scored_at: datetime) -> ScoredBy:
    return ScoredBy(
        model_tag=model.bentoml_tag,
        model_base_dt=model.base_dt,
        registered_version=model.registered_version,
        dagster_run_id=request.dagster_run_id,
        scored_at=f"{scored_at:%Y-%m-%d %H:%M:%S}",
    )


def _why_refused(summary: CustomerScoresSummary) -> str:
    refused = summary.quarantine
    limit = told_apart(".2%", refused.max_share, refused.share)
    return (
        f"No customer was scored, and earlier scores stay: {refused.sentence} The limit is {limit}"
        f" (max_quarantined_share). Correct the rows in {FEATURES}, then materialize"
        " customer_scores for this base date again."
    )


@dataclass
class _Counted:
    """What is counted while rows are scored."""

    expected: int
    max_share: float
    scored: int = 0
    not_most_probable: int = 0
    flagged: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    per_rule: Counter[str] = field(default_factory=Counter)
    refused: list[pd.DataFrame] = field(default_factory=list)

    def add(self, chunk: ScoredChunk) -> None:
        answers = chunk.answers
        self.scored += len(answers)
        self.classes.update(answers[schema.TARGET].value_counts().to_dict())
        self.not_most_probable += int((~answers["is_most_probable"].astype(bool)).sum())
        self.flagged += int((~answers["compliance_flags"].isin([None, "[]"])).sum())
        self.per_rule.update(chunk.per_rule)
        if len(chunk.quarantined):
            self.refused.append(chunk.quarantined)

    @property
    def rows(self) -> int:
        return self.scored + sum(map(len, self.refused))

    @property
    def too_many(self) -> bool:
        """Whether more rows are refused than may be, however many there still are."""
        refused = self.rows - self.scored
        return refused > self.max_share * max(self.expected, self.rows)

    def quarantined(self) -> pd.DataFrame:
        if self.refused:
            return pd.concat(self.refused, ignore_index=True)
        return pd.DataFrame(columns=[*schema.KEY, *schema.FEATURES, "reasons"])

    def summary(
        self, request: ScoringRequest, model: ModelIdentity, scored_at: datetime, seconds: float
    ) -> CustomerScoresSummary:
        refused = self.quarantined()
        checked = CheckedRows(pd.DataFrame(index=range(self.scored)), refused, self.per_rule)
        return CustomerScoresSummary(
            base_dt=request.base_dt,
            customers=str(request.customers),
            model=model,
            dagster_run_id=request.dagster_run_id,
            scored_at=scored_at,
            rows=self.scored,
            classes={name: self.classes.get(name, 0) for name in schema.CLASSES},
            not_most_probable=self.not_most_probable,
            flagged=self.flagged if request.reasons else None,
            quarantine=Quarantine(
                rows=len(refused),
                share=checked.quarantined_share,
                max_share=request.max_quarantined_share,
                per_rule=dict(self.per_rule.most_common()),
                sentence=checked.sentence(request.max_quarantined_share),
            ),
            training=None,
            seconds=round(seconds, 3),
        )
