"""The log of predictions: each is on a disk before it is answered.

A thread collects the predictions that wait, and writes them as a group with one commit. While the
database is away, the groups go to a spool; a second thread tries the database again and inserts
what was spooled, also by processes that were killed.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.stores import DuplicateRequestError, PredictionNotLoggedError
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.recovery import Recovery
from credit_ct_dagster.serving.log.spool import Spool
from credit_ct_dagster.serving.log.spool_index import SpoolIndex
from credit_ct_dagster.serving.log.table import LogTable

logger = logging.getLogger(__name__)

_GROUP = 500
_STOP_SECONDS = 30


@dataclass(frozen=True)
class LogState:
    """How the log is.

    Attributes:
        degraded: Whether predictions are, or stay, in the spool instead of the database.
        sentence: Why, and what to do; None if it is not degraded.
        accepting: Whether predictions are written anywhere, so that requests can be answered.
        waiting: How many predictions wait to be written.
        spooled: How many wait in the spool for the database, of all processes of the machine.
        lag_seconds: The age of the oldest one of those; 0 without any.
    """

    degraded: bool
    sentence: str | None
    accepting: bool
    waiting: int
    spooled: int
    lag_seconds: float


@dataclass(frozen=True)
class _Entry:
    prediction: Prediction
    line: bytes
    written: "Future[None]"


class PredictionLog:
    """The log as one process writes it."""

    def __init__(
        self,
        url: str,
        spool: Path,
        *,
        variable: str = "FEATURE_STORE_URL",
        answer_seconds: float = 2.0,
        retry_seconds: tuple[float, float] = (0.2, 5.0),
        adopt_seconds: float = 30.0,
    ) -> None:
        """Connect to nothing and create nothing yet.

        Args:
            url: SQLAlchemy URL of the database with the log.
            spool: A folder on a local disk, which the workers of a machine share.
            variable: Where the URL comes from, for a person.
            answer_seconds: A database that takes longer to connect or to answer is away.
            retry_seconds: How long to wait before the database is tried again: at first, at most.
            adopt_seconds: How often to look for what killed processes left in the spool.

        Raises:
            DatabaseUrlError: It is no URL of a supported database.
        """
        self._table = LogTable(url, variable, answer_seconds)
        self._drained_into = LogTable(url, variable, answer_seconds)
        self._spool, self._index = Spool(spool), SpoolIndex(spool)
        self._recovery = Recovery(self._drained_into, self._spool, retry_seconds, adopt_seconds)
        self._writer = threading.Thread(
            target=self._write_groups, name="prediction-log", daemon=True
        )
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._writing = 0
        self._running = False

    def start(self) -> None:
        """Connect, and begin to write; a database that is away stops nothing."""
        self._recovery.try_spool()
        self._recovery.try_table()
        self._recovery.wake()
        self._running = True
        self._writer.start()
        self._recovery.start()

    def stop(self) -> None:
        """Write what waits, then end. What is in the spool, the next process inserts."""
        with self._changed:
            was_running, self._running = self._running, False
            self._changed.notify_all()
        self._recovery.end()
        if was_running:
            self._writer.join(_STOP_SECONDS)
            self._recovery.join(_STOP_SECONDS)
        self._spool.release()
        self._table.close()
        self._drained_into.close()

    def record(self, prediction: Prediction) -> "Future[None]":
        """Log a prediction.

        Returns:
            Completes when a kill or a power cut cannot take the prediction back any more. Raises
            `DuplicateRequestError` if the log has another one with this request id, and
            `PredictionNotLoggedError` if nothing could be written: then it must not be answered.

        Raises:
            ValueError: A text is no Unicode, or a number is infinite.
            RuntimeError: The log was not started, or was stopped.
        """
        entry = _Entry(prediction, prediction.to_line(), Future())
        # A caller who gives up cannot take it back.
        entry.written.set_running_or_notify_cancel()
        with self._changed:
            if not self._running:
                raise RuntimeError("The log was not started, or was stopped.")
            self._entries.append(entry)
            self._changed.notify()
        return entry.written

    def find(self, request_id: str) -> Prediction | None:
        """The prediction of a request; see `find_many`."""
        return self.find_many([request_id]).get(request_id)

    def find_many(self, request_ids: Collection[str]) -> dict[str, Prediction]:
        """The predictions of requests, in the database or in the spool, by request id.

        While the database is away, those that it has are left out.
        """
        found = {
            each: spooled for each in request_ids if (spooled := self._index.find(each)) is not None
        }
        others = [each for each in request_ids if each not in found]
        if others and self._recovery.away is None:
            try:
                found |= self._table.find(others)
            except CreditCtError as error:
                self._recovery.lose(error)
        return found

    def state(self) -> LogState:
        """How the log is now; reads what was spooled since it was last asked."""
        amount, away = self._index.amount(), self._recovery.away
        with self._changed:
            waiting = len(self._entries) + self._writing
        reasons = [*filter(None, [away, self._recovery.spool_fault]), *self._recovery.refused]
        sentence = " ".join(reasons)
        if away is not None:
            sentence = (
                f"{amount.rows:,} predictions wait in {self._spool.folder}, and are inserted when"
                f" the database takes them: {sentence}"
            )
        return LogState(
            degraded=bool(reasons),
            sentence=sentence or None,
            accepting=away is None or self._recovery.spool_fault is None,
            waiting=waiting,
            spooled=amount.rows,
            lag_seconds=0.0 if amount.oldest is None else max(0.0, time.time() - amount.oldest),
        )

    # The thread that writes

    def _write_groups(self) -> None:
        while group := self._next_group():
            try:
                self._write(group)
            except Exception as error:  # noqa: BLE001 - whoever waits gets it
                # Without its message, which may have a value of a row.
                logger.error("predictions were not written: %s", type(error).__name__)
                for entry in group:
                    if not entry.written.done():
                        entry.written.set_exception(error)
            with self._changed:
                self._writing = 0

    def _next_group(self) -> list[_Entry]:
        """What waits; empty when the log was stopped."""
        with self._changed:
            while not self._entries and self._running:
                self._changed.wait()
            group = [self._entries.popleft() for _ in range(min(_GROUP, len(self._entries)))]
            self._writing = len(group)
            return group

    def _write(self, group: Sequence[_Entry]) -> None:
        """Write a group; of several with one request id, only the first."""
        first: dict[str, _Entry] = {}
        for entry in group:
            first.setdefault(entry.prediction.request_id, entry)
        entries = list(first.values())
        if self._recovery.away is None:
            try:
                taken = self._table.insert([entry.prediction for entry in entries])
            except CreditCtError as error:
                self._recovery.lose(error)
            else:
                _complete(group, first, taken)
                return
        try:
            taken = self._spool_those(entries)
        except OSError as error:
            self._refuse(group, error)
            return
        self._recovery.spool_fault = None
        _complete(group, first, taken)
        if self._recovery.away is None:  # it came back in the meantime
            self._recovery.wake()

    def _spool_those(self, entries: Sequence[_Entry]) -> set[str]:
        """Write to the spool; returns the request ids that it has already."""
        taken = self._index.known([entry.prediction.request_id for entry in entries])
        self._spool.append([e.line for e in entries if e.prediction.request_id not in taken])
        return taken

    def _refuse(self, group: Sequence[_Entry], error: OSError) -> None:
        self._recovery.fail_spool(error)
        logger.error("Requests are not answered. %s", self._recovery.spool_fault)
        for entry in group:
            entry.written.set_exception(
                PredictionNotLoggedError(
                    "The prediction could not be logged, neither in the database nor in the spool"
                    f" {self._spool.folder} ({cause_of(error)}), and is not given: bring the"
                    " database back or free disk space, then send the request again."
                )
            )


def _complete(group: Sequence[_Entry], first: Mapping[str, _Entry], taken: Collection[str]) -> None:
    """Tell who was written, and who came second."""
    for entry in group:
        request_id = entry.prediction.request_id
        if first[request_id] is entry and request_id not in taken:
            entry.written.set_result(None)
        else:
            entry.written.set_exception(
                DuplicateRequestError(
                    f"The log has a prediction of request {request_id} already: ask for that one,"
                    " or send another request id."
                )
            )
