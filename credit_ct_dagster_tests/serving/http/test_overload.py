"""More work than a worker can do, and who is answered nevertheless."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Event, Semaphore
from typing import Any

import pytest

from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http import predicting
from credit_ct_dagster.serving.http.asked_rows import answers_to
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.turns import MOST_WAITING, Turns
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    KnownCustomers,
    MemoryLog,
    refused,
    running,
)


def test_many_large_requests_leave_room_for_small_ones(
    model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They work one after the other; when too many wait, another one is sent away at once."""
    began, release, full = Semaphore(0), Event(), Event()

    class Counted(Turns):
        @asynccontextmanager
        async def taken(self) -> AsyncIterator[None]:
            if self._waiting == MOST_WAITING - 1:
                asyncio.get_running_loop().call_soon(full.set)
            async with super().taken():
                yield

    monkeypatch.setattr(predicting, "Turns", Counted)

    def slow(*arguments: Any) -> Any:
        began.release()
        release.wait(30)
        return answers_to(*arguments)

    monkeypatch.setattr(predicting, "answers_to", slow)
    many = [example(), example()]

    def ask(port: int) -> int:
        other = Client(port)
        try:
            return other.post("/predict_many", many).status
        finally:
            other.close()

    with (
        running(Parts(FixedModel(model), MemoryLog())) as client,
        ThreadPoolExecutor(MOST_WAITING + 1) as threads,
    ):
        asked = [threads.submit(ask, client.port) for _ in range(MOST_WAITING + 1)]
        try:
            assert began.acquire(timeout=30)
            assert full.wait(30)
            reply = client.post("/predict_many", many)
            refused(reply, 503, "busy")
            assert reply.headers["retry-after"] == "1"
            assert client.post("/predict", example()).status == 200
            assert client.get("/readyz").status == 200
            assert not began.acquire(blocking=False)
        finally:
            release.set()
        assert [each.result() for each in asked] == [200] * len(asked)


def test_readiness_does_not_wait_for_customers_who_are_looked_up(model: ServedModel) -> None:
    """A database that hangs must not make a worker look dead."""
    release = Event()

    class Hanging(KnownCustomers):
        def newest_features(self, customer_id: str) -> tuple[str, Any] | None:
            release.wait(30)
            return None

    def ask(port: int) -> int:
        other = Client(port)
        try:
            return other.post("/predict_customer", {"customer_id": "1"}).status
        finally:
            other.close()

    with (
        running(Parts(FixedModel(model), customers=Hanging({}))) as client,
        ThreadPoolExecutor(40) as threads,
    ):
        asked = [threads.submit(ask, client.port) for _ in range(40)]
        try:
            assert client.get("/readyz").status == 200
            assert client.get("/metrics").status == 200
        finally:
            release.set()
        assert {each.result() for each in asked} == {404}
