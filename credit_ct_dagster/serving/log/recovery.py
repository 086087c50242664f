"""What ends the degraded state of the log: the database is tried again, the spool is drained."""

import logging
import threading
from collections.abc import Sequence

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.spool import Spool
from credit_ct_dagster.serving.log.table import LogTable

logger = logging.getLogger(__name__)


class Recovery(threading.Thread):
    """Knows whether the database is away; ends by `end`.

    Attributes:
        away: Why the database takes no predictions; None while it does.
        refused: Why files of the spool remain.
        spool_fault: Why nothing can be written to the spool; None while it can.
    """

    def __init__(
        self,
        table: LogTable,
        spool: Spool,
        retry_seconds: tuple[float, float],
        adopt_seconds: float,
    ) -> None:
        """Nothing is tried yet; see `PredictionLog`."""
        super().__init__(name="prediction-spool", daemon=True)
        self.away: str | None = None
        self.refused: list[str] = []
        self.spool_fault: str | None = None
        self._table, self._spool = table, spool
        self._first_wait, self._longest_wait = retry_seconds
        self._adopt_seconds = adopt_seconds
        self._is_busy = False
        self._mutex = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()

    def lose(self, error: CreditCtError) -> None:
        """The database did not take, or give, a prediction."""
        with self._mutex:
            was_there, self.away = self.away is None, error.sentence
        if was_there:
            logger.warning("Predictions are spooled: %s", error.sentence)
            self.wake()

    def wake(self) -> None:
        """Something is, or may be, in the spool."""
        self._wake.set()

    def end(self) -> None:
        """End the thread after its present attempt. What is spooled, the next process inserts."""
        self._ended.set()
        self._wake.set()

    def try_table(self) -> bool:
        """Whether the database answers and has the table."""
        try:
            self._table.prepare()
        except CreditCtError as error:
            self.lose(error)
            return False
        return True

    def try_spool(self) -> None:
        """Find out whether the spool can be written."""
        try:
            self._spool.prepare()
        except OSError as error:
            self.fail_spool(error)
        else:
            self.spool_fault = None

    def fail_spool(self, error: OSError) -> None:
        """The spool did not take predictions."""
        self.spool_fault = (
            f"The spool {self._spool.folder} cannot be written ({cause_of(error)}): without the"
            " database, no request is answered. Free disk space there, or correct its permissions."
        )

    def run(self) -> None:
        """Wait until there is something to do, or until files of killed processes are due."""
        wait = self._first_wait
        while not self._ended.is_set():
            self._wake.wait(self._adopt_seconds if self.away is None else 0)
            self._wake.clear()
            if self._ended.is_set():
                return
            if self._attempt():
                wait = self._first_wait
                if self._is_busy:  # look again whether the other process left anything
                    self._ended.wait(wait)
                    self.wake()
            else:
                self._ended.wait(wait)
                wait = min(2 * wait, self._longest_wait)

    def _attempt(self) -> bool:
        try:
            return self._recover()
        except Exception as error:  # noqa: BLE001 - nobody else drains the spool
            # Without its message, which may have a value of a row.
            logger.error("the spool of predictions was not drained: %s", type(error).__name__)
            self.refused = [
                f"The spool {self._spool.folder} was not drained ({type(error).__name__}), and"
                " is tried again: report it if it lasts."
            ]
            return False

    def _recover(self) -> bool:
        """Insert what is spooled; returns whether nothing is wrong."""
        if self.spool_fault is not None:
            self.try_spool()
        if self.away is not None and not self.try_table():
            return False
        if not self._drain():
            return False
        with self._mutex:
            recovered, self.away = self.away is not None, None
        if not recovered:
            return True
        logger.info("The database takes predictions again: %s", self._table.location)
        return self._drain()  # what was spooled in the meantime

    def _drain(self) -> bool:
        self._spool.release()
        try:
            drained = self._spool.drain(self._insert)
        except CreditCtError as error:
            self.lose(error)
            return False
        except OSError as error:
            self.refused = [
                f"The spool {self._spool.folder} cannot be drained ({cause_of(error)}): correct its"
                " permissions, or free disk space."
            ]
            return True
        self.refused, self._is_busy = drained.refused, drained.is_busy
        if drained.rows:
            logger.info("%d spooled predictions are in the database", drained.rows)
        return True

    def _insert(self, predictions: Sequence[Prediction]) -> None:
        taken = self._table.insert(predictions)
        if taken:
            logger.warning(
                "%d requests were answered twice while the database was away: the log has one of"
                " the answers",
                len(taken),
            )
