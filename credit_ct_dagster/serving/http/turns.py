"""Large requests work one after the other, so that small ones find a worker that answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from credit_ct_dagster.serving.http.refusals import unavailable

MOST_WAITING = 4
"""More could not be answered in time, and their rows would fill the memory."""


class Turns:
    """Lets one request of a worker work at a time; some wait, and others are sent away."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """The block is the turn of a request.

        Raises:
            RefusedError: Too many wait.
        """
        if self._waiting >= MOST_WAITING:
            raise unavailable(
                "busy",
                "Too many requests of many customers wait. Send it again later, or send fewer at"
                " the same time.",
            )
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()
