"""A folder with its own stores for every turn, and the processes that use them."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.measure import Turn

_REPOSITORY = Path(__file__).parents[1]
_INHERITED = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER"]
_LOG_SHOWN = 3_000


class ProcessFailedError(Exception):
    """A measured process failed."""


@dataclass(frozen=True)
class Sandbox:
    """Empty stores in a folder.

    Attributes:
        folder: The working directory of its processes.
        environment: The variables that point to its stores.
    """

    folder: Path
    environment: dict[str, str]

    def measure(self, module: str, *arguments: str) -> Turn:
        """Run a module that measures itself: it writes `seconds` and further results as JSON."""
        result = self.folder / "result.json"
        self.run(sys.executable, "-m", module, *arguments, "--result", str(result))
        found = json.loads(result.read_text())
        return Turn(found["seconds"], found)

    def time(self, *command: str) -> float:
        """The wall time of a process, with its start."""
        started = time.perf_counter()
        self.run(*command)
        return time.perf_counter() - started

    def run(self, *command: str, watch: Callable[[int], None] | None = None) -> None:
        """Run a command and wait for its end.

        Args:
            command: A program and its arguments.
            watch: Called with the id of the process; returns when that has ended.

        Raises:
            ProcessFailedError: It failed; the message holds the end of its output.
        """
        log = self.folder / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                if watch:
                    watch(process.pid)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
        if code:
            end = log.read_text(errors="replace")[-_LOG_SHOWN:]
            raise ProcessFailedError(f"{' '.join(command)} ended with {code}:\n{end}")


@contextmanager
def sandbox(**environment: str) -> Iterator[Sandbox]:
    """A folder with empty stores: SQLite, unless a variable names another database."""
    with tempfile.TemporaryDirectory(prefix="credit-ct-bench-") as name:
        folder = Path(name)
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        yield Sandbox(folder, _environment(folder) | environment)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="credit-ct-bench-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(_REPOSITORY / "dagster.yaml", folder)
    made = Sandbox(folder, _environment(folder))
    made.run(sys.executable, "-m", "benchmarks.empty_stores")
    (folder / "log").unlink()
    return folder


def _environment(folder: Path) -> dict[str, str]:
    """No settings of this machine, and the same for the platform and the reference."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "PYTHONPATH": str(_REPOSITORY),
        "FEATURE_STORE_URL": "sqlite:///var/feature_store.db",
        "ARTIFACTS_PATH": str(folder / "artifacts"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/var/mlflow.db",
        "OPTUNA_STORAGE_URL": f"sqlite:///{folder}/var/optuna.db",
        "BENTOML_HOME": str(folder / "var" / "bentoml"),
        # As `set_up_process` sets them for the platform: no network, no progress bars.
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
