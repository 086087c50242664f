"""Every command of docs/tutorial.md, in its order, and the pictures that documents show."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.e2e.screenshots import save_documented, save_terminal
from credit_ct_dagster_tests.platform import NO_FLOORS, REPOSITORY, SMALL_SEARCH
from credit_ct_dagster_tests.servers import free_port
from credit_ct_dagster_tests.webserver import until

pytestmark = pytest.mark.timeout(1800)

_START_SECONDS = 180
_SERVERS = {"make serve": "readyz", "make dev": "server_info"}
"""What goes on until it is ended, and the path that answers once it has started."""
_OUTERMOST = ["credit_score", "robust_scalers", "model_card"]
"""Assets at the edges of the lineage."""
_SKIPPED = {". .venv/bin/activate"}


def _commands() -> list[str]:
    text = (REPOSITORY / "docs" / "tutorial.md").read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.S)
    return [line for block in blocks for line in block.splitlines() if line not in _SKIPPED]


def _written(commands: list[str]) -> set[str]:
    """The files into which commands write."""
    return {line.rpartition("> ")[2] for line in commands if "> " in line}


def _recipe(target: str) -> str:
    """What a target of the Makefile runs, once `make install` is done."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.M)
    assert found, target
    return found[1].strip().replace("$(BIN)/", "")


def _exchanged(text: str, ports: dict[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(ports)})\b", lambda found: ports[found[1]], text)


class _Reader:
    """Types the commands, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8000": str(free_port()), "3000": str(free_port())}
        quick = {"tuned_runs": {"config": SMALL_SEARCH}, "champion_model": {"config": NO_FLOORS}}
        (folder / "quick.yaml").write_text(yaml.safe_dump({"ops": quick}))
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "BROWSER": "true",
            "SERVING_PORT": self.ports["8000"],
            "SERVICE_URL": f"http://127.0.0.1:{self.ports['8000']}",
            # The same platform, with a search of seconds: two candidates instead of 27.
            **({} if "SCREENSHOTS" in os.environ else {"RUN_CONFIG": "quick.yaml"}),
        }
        for name in ("dagster.yaml", "workspace.yaml"):
            (folder / name).write_bytes((REPOSITORY / name).read_bytes())

    def _line(self, command: str) -> str:
        target = command.removeprefix("make ")
        return _exchanged(_recipe(target) if target != command else command, self.ports)

    def runs(self, command: str) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            ["bash", "-c", self._line(command)], cwd=self.folder, env=self._environment,
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return _exchanged(done.stdout, {free: usual for usual, free in self.ports.items()})

    def starts(self, command: str) -> subprocess.Popen[bytes]:
        """A server, once it answers."""
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._line(command)}"], cwd=self.folder,
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        port = self.ports["8000" if command == "make serve" else "3000"]
        url = f"http://127.0.0.1:{port}/{_SERVERS[command]}"
        until(lambda: urlopen(url).status == 200, _START_SECONDS, command)
        return process


@contextmanager
def _ended(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_every_command_does_what_the_tutorial_says(tmp_path: Path, browser: Browser) -> None:
    """From nothing to a prediction over HTTP, in the order of the page; then the UI."""
    reader, printed = _Reader(tmp_path), {}
    servers: list[subprocess.Popen[bytes]] = []
    commands = _commands()
    with _ended(servers):
        for command in commands[:-1]:
            if command in _SERVERS:
                servers.append(reader.starts(command))
            else:
                printed[command] = reader.runs(command)
        asked = next(each for each in printed if each.startswith("curl") and "/predict " in each)
        assert json.loads(printed[asked])["credit_score"] in schema.CLASSES
        assert "Decision      Promoted: there was no champion" in printed["make run"]
        assert "champion" in printed["credit-ct status"]
        save_terminal("credit-ct status", printed["credit-ct status"], "status")
        _picture(browser.new_page(viewport={"width": 1280, "height": 800}), reader)
    assert commands[-1].startswith("rm -r var artifacts ")
    reader.runs(commands[-1])
    assert not {"var", "artifacts", *_written(commands)} & {
        each.name for each in tmp_path.iterdir()
    }


def _picture(page: Page, reader: _Reader) -> None:
    """The pages that the tutorial shows."""
    expect.set_options(timeout=120_000)
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{reader.ports['8000']}")
    expect(page.get_by_text("Score one customer")).to_be_visible()
    save_documented(page, "service")
    ui = f"http://127.0.0.1:{reader.ports['3000']}"
    page.goto(f"{ui}/model-card")
    expect(page.get_by_role("heading").first).to_be_visible()
    save_documented(page, "card")
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(f"{ui}/assets/model_card?view=lineage&lineageScope=upstream&lineageDepth=9")
    shown = [page.get_by_text(name, exact=True).last for name in _OUTERMOST]
    for asset in shown:
        expect(asset).to_be_visible()
    save_documented(page, "lineage", around=shown)
