"""Scoring on other machines: Dask workers that read ranges of keys, and return answers.

A worker receives the model, which is small, and no secret: it finds the feature store by its own
environment. Dask gives the range of a worker that died to another one.
"""

import pickle
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

from distributed import Future as DaskFuture
from distributed import KilledWorker
from distributed import TimeoutError as DaskTimeoutError

from credit_ct_dagster.dask_scheduler import DaskScheduler, wiring_of_worker
from credit_ct_dagster.errors.models import DaskUnavailableError
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers, KeyRange, RowsToScore
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.batch import ScoredChunk, score_chunk

_LOOK_SECONDS = 5
_WAITING_PER_THREAD = 2
"""One range is scored, the next one waits: more would only wait, and their answers fill memory."""


@dataclass(frozen=True)
class SharedScoring:
    """What a worker needs to know to score a range.

    Attributes:
        base_dt: The base date.
        customers: Which feature rows.
        reasons: Whether to give reasons.
        scorer: The pickled scorer, so that all workers score with the very same model.
        rules: What a row must satisfy.
    """

    base_dt: str
    customers: Customers
    reasons: bool
    scorer: bytes
    rules: RowRules

    @classmethod
    def of(
        cls, base_dt: str, customers: Customers, reasons: bool, scorer: Scorer, rules: RowRules
    ) -> Self:
        """The same, with the scorer as it is."""
        return cls(base_dt, customers, reasons, pickle.dumps(scorer), rules)


class DaskScoring:
    """The workers of a Dask scheduler, as long as a base date is scored."""

    def __init__(self, scheduler: str, shared: SharedScoring) -> None:
        self._scheduler = DaskScheduler(scheduler, "score this base date again.")
        self._shared = shared
        self._submitted: deque[tuple[KeyRange, DaskFuture]] = deque()

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            DaskUnavailableError: The scheduler does not answer.
            RunConfigError: Its address is not valid.
        """
        self._scheduler.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the ranges that nobody waits for any more."""
        self._scheduler.client.cancel([each for _, each in self._submitted])
        self._scheduler.client.close()

    def __call__(self, ranges: list[KeyRange]) -> Iterator[ScoredChunk]:
        """The scored ranges, in their order; only a few are under way at a time.

        Raises:
            DaskUnavailableError: There has been no worker for five minutes, every worker that
                began a range was killed, or the scheduler does not answer any more.
        """
        waiting = deque(ranges)
        while waiting or self._submitted:
            while (
                waiting and len(self._submitted) < _WAITING_PER_THREAD * self._scheduler.threads()
            ):
                keys = waiting.popleft()
                self._submitted.append((keys, self._submit(keys)))
            yield self._scored(self._submitted[0][1])
            self._submitted.popleft()

    def _submit(self, keys: KeyRange) -> DaskFuture:
        with self._scheduler.translated("scoring customers"):
            return self._scheduler.client.submit(score_shared_range, self._shared, keys, pure=False)

    def _scored(self, scoring: DaskFuture) -> ScoredChunk:
        with self._scheduler.translated("scoring customers"):
            while True:
                try:
                    return scoring.result(timeout=_LOOK_SECONDS)
                except KilledWorker as error:
                    raise DaskUnavailableError(
                        f"Every Dask worker that began to score a range of customers was killed"
                        f" ({self._scheduler.address}): {error}. Give the workers more memory, or"
                        " set a lower chunk_rows, then score this base date again."
                    ) from error
                except (DaskTimeoutError, TimeoutError):
                    if scoring.status in ("error", "cancelled", "lost"):
                        raise
                    self._scheduler.threads()


def score_shared_range(shared: SharedScoring, keys: KeyRange) -> ScoredChunk:
    """Read and score one range; runs on a worker.

    Raises:
        CreditCtError: The worker's environment leads to no usable feature store.
    """
    database = wiring_of_worker().feature_store.database
    rows = RowsToScore(database, shared.base_dt, shared.customers).read(keys)
    return score_chunk(rows, _scorer(shared.scorer), shared.rules, reasons=shared.reasons)


@lru_cache(maxsize=1)
def _scorer(pickled: bytes) -> Scorer:
    # As everything that Dask sends, it is unpickled: whoever reaches the scheduler is trusted.
    return pickle.loads(pickled)  # noqa: S301
