"""A MariaDB server for tests: its own process, port and data folder."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_START_SECONDS = 60


@dataclass(frozen=True)
class MariaDB:
    """A running server, whose user `root` needs no password."""

    port: int
    process: subprocess.Popen

    @staticmethod
    def program() -> str | None:
        """The server program, if it is installed."""
        return shutil.which("mariadbd", path=_PATH)

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *options: str) -> Iterator["MariaDB"]:
        """Start a server with its data in a folder; stop it at the end."""
        program, user = cls.program(), getpass.getuser()
        assert program is not None
        data = folder / "data"
        install = shutil.which("mariadb-install-db", path=_PATH) or "mariadb-install-db"
        subprocess.run(
            [
                install,
                "--no-defaults",
                f"--user={user}",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program,
                    "--no-defaults",
                    f"--user={user}",
                    f"--datadir={data}",
                    f"--port={port}",
                    "--bind-address=127.0.0.1",
                    f"--socket={folder}/s",
                    f"--pid-file={folder}/pid",
                    "--innodb-flush-log-at-trx-commit=0",
                    *options,
                ],
                stdout=log,
                stderr=log,
            )
        server = cls(port, process)
        try:
            server._wait(folder / "log")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=_START_SECONDS)

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
        """Run statements, as root unless the URL says otherwise."""
        engine = sa.create_engine(url or self.url(), poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in sql:
                connection.exec_driver_sql(statement)
