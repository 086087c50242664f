"""What trials and scores on other machines share: the scheduler, and a worker's own wiring."""

import threading
import time
from contextlib import AbstractContextManager
from functools import cache

from distributed import Client

from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.errors.models import DaskUnavailableError
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.wiring import Wiring

_CONNECT_SECONDS = 20
_NO_WORKER_SECONDS = 300


class DaskScheduler:
    """A Dask scheduler, once it is connected to."""

    client: Client

    def __init__(self, address: str, remedy: str) -> None:
        """Connect to nothing yet.

        Args:
            address: Such as tcp://host:8786.
            remedy: What to do after workers were started, for the sentence about their absence.
        """
        self.address = address
        self._remedy = remedy
        self._workers_seen = time.monotonic()

    def connect(self) -> None:
        """Connect.

        Raises:
            DaskUnavailableError: The scheduler does not answer.
            RunConfigError: Its address is not valid.
        """
        try:
            with self.translated("connecting"):
                self.client = Client(self.address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except ValueError as error:
            raise RunConfigError(
                f"{self.address} is not the address of a Dask scheduler: {error}. Correct"
                " DASK_SCHEDULER_ADDRESS to an address such as tcp://host:8786, or tls://host:8786."
            ) from error

    def threads(self) -> int:
        """The threads of all workers; 1 while there is none for a while.

        Raises:
            DaskUnavailableError: There has been no worker for five minutes, or the scheduler does
                not answer any more.
        """
        with self.translated("listing its workers"):
            threads = self.client.nthreads()
        if threads:
            self._workers_seen = time.monotonic()
        elif time.monotonic() - self._workers_seen > _NO_WORKER_SECONDS:
            raise DaskUnavailableError(
                f"The Dask scheduler at {self.address} has had no worker for"
                f" {_NO_WORKER_SECONDS} s. Start workers (dask worker {self.address}), then"
                f" {self._remedy}"
            )
        return max(1, sum(threads.values()))

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """Raise our own error for what Dask raises in the block."""
        return translated(Dependency.dask, self.address, doing)


_setting_up = threading.Lock()


def wiring_of_worker() -> Wiring:
    """The wiring of this worker, by its own environment."""
    with _setting_up:  # a worker may have several threads
        return _wiring_of_process()


@cache
def _wiring_of_process() -> Wiring:
    """A worker is an entry point: it reads its environment with its first task."""
    return Wiring(set_up_process())
