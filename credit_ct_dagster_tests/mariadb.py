"""A MariaDB server for tests: its own process, port and data folder."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from credit_ct_dagster_tests.servers import free_port

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_START_SECONDS = 60


class MariaDB:
    """A running server, whose user `root` needs no password."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder, self._options = folder, options
        self.port = free_port()

    @staticmethod
    def program() -> str | None:
        """The server program, if it is installed."""
        return shutil.which("mariadbd", path=_PATH)

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *options: str) -> Iterator["MariaDB"]:
        """Start a server with its data in a folder; stop it at the end."""
        install = shutil.which("mariadb-install-db", path=_PATH) or "mariadb-install-db"
        made = subprocess.run(
            [
                install,
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={folder / 'data'}",
                f"--tmpdir={folder}",  # two installations at once would share files in /tmp
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        server = cls(folder, options)
        server.start()
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(timeout=_START_SECONDS)

    def start(self) -> None:
        """Start it on its data and its port, and wait until it answers."""
        program = self.program()
        assert program is not None
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    "--no-defaults",
                    f"--user={getpass.getuser()}",
                    f"--datadir={self._folder / 'data'}",
                    f"--tmpdir={self._folder}",
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    f"--socket={self._folder}/s",
                    f"--pid-file={self._folder}/pid",
                    "--innodb-flush-log-at-trx-commit=0",  # fast; an option may override it
                    *self._options,
                ],
                stdout=log,
                stderr=log,
            )
        try:
            self._wait(self._folder / "log")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"mariadbd did not start:\n{log.read_text()}") from None
                time.sleep(0.1)
            else:
                return

    def url(self, database: str = "", user: str = "root") -> str:
        """A SQLAlchemy URL."""
        return f"mysql+pymysql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database; returns its URL."""
        name = f"ct_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return self.url(name)

    def execute(self, *sql: str, url: str | None = None) -> None:
        """Run statements, as root unless a URL is given."""
        engine = sa.create_engine(url or self.url(), poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in sql:
                connection.exec_driver_sql(statement)
