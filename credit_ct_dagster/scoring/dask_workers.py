"""Scoring on other machines: Dask workers that read ranges of keys, and return answers.

A worker receives the model, which is small, and no secret: it finds the feature store by its own
environment. Dask gives the range of a worker that died to another one.
"""

import pickle
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, lru_cache
from types import TracebackType
from typing import Self

from distributed import Client, KilledWorker
from distributed import Future as DaskFuture
from distributed import TimeoutError as DaskTimeoutError

from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.errors.models import DaskUnavailableError
from credit_ct_dagster.modeling.row_rules import RowRules
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers, KeyRange, RowsToScore
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.batch import ScoredChunk, score_chunk
from credit_ct_dagster.settings import set_up_process
from credit_ct_dagster.wiring import Wiring

_CONNECT_SECONDS = 20
_NO_WORKER_SECONDS = 300
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
        self._scheduler = scheduler
        self._shared = shared
        self._submitted: deque[tuple[KeyRange, DaskFuture]] = deque()
        self._workers_seen = time.monotonic()

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            DaskUnavailableError: The scheduler does not answer.
            RunConfigError: Its address is not valid.
        """
        try:
            with self._translated("connecting"):
                self._client = Client(
                    self._scheduler, timeout=_CONNECT_SECONDS, set_as_default=False
                )
        except ValueError as error:
            raise RunConfigError(
                f"{self._scheduler} is not the address of a Dask scheduler: {error}. Correct"
                " DASK_SCHEDULER_ADDRESS to an address such as tcp://host:8786, or tls://host:8786."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the ranges that nobody waits for any more."""
        self._client.cancel([each for _, each in self._submitted])
        self._client.close()

    def __call__(self, ranges: list[KeyRange]) -> Iterator[ScoredChunk]:
        """The scored ranges, in their order; only a few are under way at a time.

        Raises:
            DaskUnavailableError: There has been no worker for five minutes, every worker that
                began a range was killed, or the scheduler does not answer any more.
        """
        waiting = deque(ranges)
        while waiting or self._submitted:
            while waiting and len(self._submitted) < _WAITING_PER_THREAD * self._threads():
                keys = waiting.popleft()
                self._submitted.append((keys, self._submit(keys)))
            yield self._scored(self._submitted[0][1])
            self._submitted.popleft()

    def _submit(self, keys: KeyRange) -> DaskFuture:
        with self._translated("scoring customers"):
            return self._client.submit(score_shared_range, self._shared, keys, pure=False)

    def _scored(self, scoring: DaskFuture) -> ScoredChunk:
        with self._translated("scoring customers"):
            while True:
                try:
                    return scoring.result(timeout=_LOOK_SECONDS)
                except KilledWorker as error:
                    raise DaskUnavailableError(
                        f"Every Dask worker that began to score a range of customers was killed"
                        f" ({self._scheduler}): {error}. Give the workers more memory, or set a"
                        " lower chunk_rows, then score this base date again."
                    ) from error
                except (DaskTimeoutError, TimeoutError):
                    if scoring.status in ("error", "cancelled", "lost"):
                        raise
                    self._threads()

    def _threads(self) -> int:
        """The threads of all workers; 1 while there is none for a while."""
        with self._translated("listing its workers"):
            threads = self._client.nthreads()
        if threads:
            self._workers_seen = time.monotonic()
        elif time.monotonic() - self._workers_seen > _NO_WORKER_SECONDS:
            raise DaskUnavailableError(
                f"The Dask scheduler at {self._scheduler} has had no worker for"
                f" {_NO_WORKER_SECONDS} s. Start workers (dask worker {self._scheduler}), then"
                " score this base date again."
            )
        return max(1, sum(threads.values()))

    def _translated(self, doing: str) -> AbstractContextManager[None]:
        return translated(Dependency.dask, self._scheduler, doing)


def score_shared_range(shared: SharedScoring, keys: KeyRange) -> ScoredChunk:
    """Read and score one range; runs on a worker.

    Raises:
        CreditCtError: The worker's environment leads to no usable feature store.
    """
    database = _wiring().feature_store.database
    rows = RowsToScore(database, shared.base_dt, shared.customers).read(keys)
    return score_chunk(rows, _scorer(shared.scorer), shared.rules, reasons=shared.reasons)


_setting_up = threading.Lock()


def _wiring() -> Wiring:
    with _setting_up:  # a worker may have several threads
        return _wiring_of_process()


@cache
def _wiring_of_process() -> Wiring:
    """A worker is an entry point: it reads its environment with its first range."""
    return Wiring(set_up_process())


@lru_cache(maxsize=1)
def _scorer(pickled: bytes) -> Scorer:
    # As everything that Dask sends, it is unpickled: whoever reaches the scheduler is trusted.
    return pickle.loads(pickled)  # noqa: S301
