"""The service compared with a plain one, with the same model on the same rows."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from benchmarks.database import server
from benchmarks.measure import Comparison, Turn, at_least, judge, take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.served import (
    DURABLE,
    Platform,
    Service,
    bare,
    complete,
    failures,
    in_milliseconds,
    per_second,
    plain,
    rows_of,
)

_MANY = 8
"""Clients that send at once, so that the service is never idle."""


def run(plan: Plan) -> Findings:
    """One worker of each service, started anew for every turn."""
    with server(DURABLE) as running, Platform.trained(plan, running) as platform:
        ways: list[tuple[str, Callable[[], AbstractContextManager[Service]]]] = [
            ("plain, no log", partial(plain, platform, log=False)),
            ("ours, no reasons, no log", partial(bare, platform)),
            ("plain, log", partial(plain, platform, log=True)),
            ("ours, reasons and log", partial(complete, platform, workers=1)),
        ]
        turns = take_turns([partial(_turn, start, plan) for _, start in ways], plan.pairs)
    without, fast, logging, whole = ([_of(turn, _MANY) for turn in each] for each in turns)
    fast_alone, whole_alone = ([_of(turn, 1) for turn in turns[place]] for place in (1, 3))
    found = [
        within("no reasons, no log, 1 client: p50", in_milliseconds(fast_alone, "p50"), 3, "ms"),
        at_least("no reasons, no log, 8 clients", per_second(fast), 400, "requests/s"),
        judge("no reasons, no log: ms per request, 8 clients", without, fast, at_least_faster=8),
        within("reasons and log, 1 client: p50", in_milliseconds(whole_alone, "p50"), 10, "ms"),
        at_least("reasons and log, 8 clients", per_second(whole), 150, "requests/s"),
        judge("reasons and log: ms per request, 8 clients", logging, whole, at_least_faster=4),
    ]
    found[2].unit = found[5].unit = "ms"
    for comparison, each in zip(found, (fast_alone, fast, fast, whole_alone, whole, whole),
                                strict=True):  # fmt: skip
        _require_no_failures(comparison, each)
    rows = [
        rows_of(name, clients, [_of(turn, clients) for turn in each])
        for (name, _), each in zip(ways, turns, strict=True)
        for clients in (1, _MANY)
    ]
    return Findings(found, {f"One worker, medians of {plan.pairs} turns": rows})


def _turn(start: Callable[[], AbstractContextManager[Service]], plan: Plan) -> Turn:
    """Start a service, and load it with one client and with many."""
    with start() as service:
        loads = {
            str(clients): service.load(clients, plan.load_seconds).facts for clients in (1, _MANY)
        }
    return Turn(1e3 * loads[str(_MANY)]["seconds"], loads)


def _of(turn: Turn, clients: int) -> Turn:
    """What a number of clients saw, with milliseconds per request instead of seconds."""
    facts: dict[str, Any] = turn.facts[str(clients)]
    return Turn(1e3 * facts["seconds"], facts)


def _require_no_failures(comparison: Comparison, turns: Sequence[Turn]) -> None:
    found = failures(list(turns))
    requests = sum(turn.facts["requests"] for turn in turns)
    comparison.require(not found, f"{sum(found.values())} of {requests:,} requests failed {found}")


GROUPS: dict[str, Callable[[Plan], Findings]] = {"serving": run}
