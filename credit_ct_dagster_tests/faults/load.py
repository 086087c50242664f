"""Callers of the service, all at once, and what they were answered."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import aiohttp

from credit_ct_dagster.serving.example import example

_BODY = json.dumps(example()).encode()
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Call:
    """One request and its answer; times are of `time.monotonic`.

    Attributes:
        begun: When it was sent.
        ended: When it was answered, or failed.
        status: Of HTTP; 0 without an answer.
        tag: The model that answered.
        request_id: By which it is in the log.
        error: Of a connection that broke.
    """

    begun: float
    ended: float
    status: int
    tag: str = ""
    request_id: str = ""
    error: str = ""


@dataclass
class Load:
    """Callers that send one request after the other.

    Attributes:
        url: Of the service.
        keeping: Callers that keep their connection.
        connecting: Callers that connect anew for every request.
        pause: Seconds between two requests of a caller.
        calls: Every request so far.
    """

    url: str
    keeping: int = 4
    connecting: int = 2
    pause: float = 0.0
    calls: list[Call] = field(default_factory=list)
    _ended: bool = False

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Call until the end of the block."""
        thread = Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            yield self
        finally:
            self._ended = True
            thread.join()

    @property
    def answered(self) -> list[Call]:
        """Those that were answered with a prediction."""
        return [call for call in self.calls if call.status == 200]

    @property
    def failed(self) -> list[Call]:
        """All others."""
        return [call for call in self.calls if call.status != 200]

    async def _run(self) -> None:
        callers = [False] * self.keeping + [True] * self.connecting
        await asyncio.gather(*(self._call(connects) for connects in callers))

    async def _call(self, connects: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=connects)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while not self._ended:
                begun = time.monotonic()
                try:
                    async with session.post(
                        f"{self.url}/predict", data=_BODY, headers=_HEADERS
                    ) as response:
                        answer = await response.json()
                        ended, status = time.monotonic(), response.status
                    tag = answer["model"]["tag"] if status == 200 else ""
                    found = Call(begun, ended, status, tag, answer.get("request_id", ""))
                except (aiohttp.ClientError, TimeoutError) as error:
                    found = Call(begun, time.monotonic(), 0, error=type(error).__name__)
                    await asyncio.sleep(0.05)
                self.calls.append(found)
                await asyncio.sleep(self.pause)
