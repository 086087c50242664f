"""Load on an HTTP service, in a process of its own: how long answers take, and how many fail."""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import click
import numpy as np

_PERCENTILES = (50, 95, 99, 99.9)
_JSON = {"Content-Type": "application/json"}


@dataclass
class Meter:
    """What came back.

    Attributes:
        seconds: Of every answer, in the order in which they arrived.
        failures: How often which failure.
    """

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def found(self, elapsed: float) -> dict[str, Any]:
        """The results, times in milliseconds."""
        times = np.array(self.seconds) * 1e3
        return {
            "requests": len(times) + sum(self.failures.values()),
            "failures": dict(self.failures),
            "per_second": len(times) / elapsed,
            "ms": {
                f"p{share:g}": float(np.percentile(times, share)) if len(times) else None
                for share in _PERCENTILES
            },
            "elapsed": elapsed,
            "load_average": os.getloadavg()[0],
        }


@dataclass(frozen=True)
class Client:
    """Posts bodies to one address over connections that are kept alive."""

    session: aiohttp.ClientSession
    url: str
    meter: Meter

    async def post(self, body: bytes, since: float) -> None:
        """Post one body, and note the time since it was due."""
        try:
            async with self.session.post(self.url, data=body, headers=_JSON) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.meter.failures[type(error).__name__] += 1
            return
        if response.status != 200 or b'"credit_score"' not in answer:
            self.meter.failures[str(response.status)] += 1
            return
        self.meter.seconds.append(time.perf_counter() - since)

    async def in_turn(self, bodies: Iterator[bytes], until: float) -> None:
        """One customer: the next request follows the answer."""
        while time.perf_counter() < until:
            await self.post(next(bodies), time.perf_counter())

    async def at_rate(self, bodies: Iterator[bytes], until: float, per_second: float) -> None:
        """Many customers, who do not wait for each other: arrivals at random, as they are.

        The time of an answer counts from the arrival, so it includes waiting for a connection.
        """
        drawn, due = random.Random(0), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while due < until:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self.post(next(bodies), due))
                due += drawn.expovariate(per_second)


async def load(
    url: str, bodies: list[bytes], clients: int, seconds: float, per_second: float | None = None
) -> dict[str, Any]:
    """Load a service.

    Args:
        url: Where to post.
        bodies: What to post, one after the other, and again from the first one on.
        clients: How many connections at once.
        seconds: How long.
        per_second: Requests that arrive; None: every client sends when it has its answer.
    """
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        meter, several = Meter(), cycle(bodies)
        client = Client(session, url, meter)
        started = time.perf_counter()
        until = started + seconds
        if per_second is None:
            await asyncio.gather(*(client.in_turn(several, until) for _ in range(clients)))
        else:
            await client.at_rate(several, until, per_second)
        return meter.found(time.perf_counter() - started)


@click.command()
@click.argument("url")
@click.option("--bodies", type=click.Path(path_type=Path), required=True, help="One per line.")
@click.option("--clients", type=int, required=True)
@click.option("--seconds", type=float, required=True)
@click.option("--per-second", type=float)
@click.option("--warm-up", type=float, default=1.0, show_default=True, help="Seconds before.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(
    url: str,
    bodies: Path,
    clients: int,
    seconds: float,
    per_second: float | None,
    warm_up: float,
    result: Path,
) -> None:
    """Post the bodies to URL."""
    lines = bodies.read_bytes().splitlines()

    async def measured() -> dict[str, Any]:
        before = await load(url, lines, clients, warm_up)
        found = await load(url, lines, clients, seconds, per_second)
        return {**found, "all_requests": before["requests"] + found["requests"]}

    found = asyncio.run(measured())
    found["seconds"] = 1 / found["per_second"] if found["per_second"] else float("inf")
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
