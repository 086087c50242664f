"""Pages of Dagster's UI in a real browser: seconds until they can be read, and their queries."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.sandbox import ProcessFailedError, Sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

_COMMAND = Path(sys.executable).with_name("credit-ct")
_STARTS, _SHOWS = 120, 60_000
_ASSET = "/assets/tuned_runs"


@dataclass
class Visit:
    """One look at a page.

    Attributes:
        seconds: Until its content was visible.
        server_seconds: Seconds of a processor that the servers needed.
        queries: Per GraphQL query, its seconds and the bytes of the longest answer.
    """

    seconds: float
    server_seconds: float
    queries: dict[str, tuple[float, int]] = field(default_factory=dict)

    @property
    def slowest(self) -> str:
        """The query that took longest."""
        name = max(self.queries, key=lambda each: self.queries[each][0], default="")
        seconds, size = self.queries.get(name, (0.0, 0))
        return f"{name}: {seconds:.2f} s, {size:,} bytes"


def pages(newest: str) -> dict[str, tuple[str, str]]:
    """Per page, its address and a text that is visible once it shows what it is opened for."""
    picture = "feature_importances"
    return {
        "asset page, overview": (_ASSET, picture),
        "asset page, partitions": (f"{_ASSET}?view=partitions", newest),
        "asset page, a base date": (f"{_ASSET}?view=partitions&partition={newest}", picture),
        "asset page, events": (f"{_ASSET}?view=events", picture),
        "asset page, checks": (f"{_ASSET}?view=checks", "model_beats_baselines"),
        "lineage of the asset": (
            f"{_ASSET}?view=lineage&lineageScope=upstream&lineageDepth=9", "features_target",
        ),
        "lineage of all assets": ("/asset-groups", "serving"),
        "runs": ("/runs", "continuous_training"),
    }  # fmt: skip


@contextmanager
def served(here: Sandbox) -> Iterator[tuple[str, psutil.Process]]:
    """The UI, without a daemon; its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (here.folder / "ui.log").open("wb") as log:
        command = [str(_COMMAND), "ui", "--no-daemon", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=here.folder, env=here.environment, stdout=log, stderr=log
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/server_info", process)
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def visits(root: str, server: psutil.Process, newest: str, rounds: int) -> dict[str, list[Visit]]:
    """Open each page again and again, as somebody who was never there; the first does not count."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        found = {
            name: [_visit(browser, root + path, text, server) for _ in range(rounds + 1)][1:]
            for name, (path, text) in pages(newest).items()
        }
        browser.close()
    return found


def has_browser() -> bool:
    """Whether Chromium is installed."""
    return shutil.which("chromium") is not None


def _visit(browser: "Browser", url: str, text: str, server: psutil.Process) -> Visit:
    with browser.new_context(viewport={"width": 1500, "height": 1000}) as context:
        page = context.new_page()
        visit = Visit(0, 0)
        requests: list[Request] = []

        def note(request: "Request") -> None:  # Playwright takes no method of a list
            requests.append(request)

        page.on("requestfinished", note)
        before, started = _processor_seconds(server), time.perf_counter()
        page.goto(url, wait_until="commit")
        _shown(page, text)
        visit.seconds = time.perf_counter() - started
        page.wait_for_load_state("networkidle", timeout=_SHOWS)
        visit.server_seconds = _processor_seconds(server) - before
        for request in list(requests):  # while the page is open; it never ceases to ask
            _note(request, visit)
    return visit


def _shown(page: "Page", text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=_SHOWS, state="visible")


def _note(request: "Request", visit: Visit) -> None:
    if "/graphql" not in request.url or not request.post_data:
        return
    asked = json.loads(request.post_data)
    timing, size = request.timing, request.sizes()["responseBodySize"]
    seconds = (timing["responseEnd"] - timing["requestStart"]) / 1000
    for each in asked if isinstance(asked, list) else [asked]:
        name = each.get("operationName") or "?"
        visit.queries[name] = max(visit.queries.get(name, (0.0, 0)), (seconds, size))


def _processor_seconds(server: psutil.Process) -> float:
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise ProcessFailedError(f"The UI did not answer at {url}.")
