"""How a package is validated before it becomes the champion."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import PackageDoesNotServeError
from credit_ct_dagster.serving.golden import difference_of
from credit_ct_dagster.serving.server.validation import PackageServer, started_server

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.scorer import Scorer


class PackageValidation(dg.ConfigurableResource):
    """Asks a package its golden rows, and compares the answers with those of the pipeline."""

    start_server: bool = Field(
        default=True,
        description="Start the package as a server of its own, and ask it over HTTP, then as MLflow"
        " loads it. Otherwise the process that decides answers by itself, and executes no code of"
        " the package: that finds a package with another content, but neither one that cannot be"
        " served here nor one whose own code fails",
    )
    timeout_s: int = Field(
        default=120,
        ge=1,
        description="Seconds within which the server must have started and answered everything;"
        " five, on a machine that is not busy",
    )

    _waiting: ExitStack = PrivateAttr(default_factory=ExitStack)
    """Stops the server that was started ahead."""

    _server: PackageServer | None = PrivateAttr(default=None)

    def start_ahead(self) -> None:
        """Start a server that the next validation uses: it imports its libraries meanwhile.

        It runs until then, or until the end of the Dagster run whose resource this is. Where none
        can be started, it is the validation that fails: whoever calls this has no need of one.
        """
        if self.start_server and self._server is None:
            with suppress(OSError):
                self._start()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Stop a server that no validation used."""
        self._stop()

    def _start(self) -> PackageServer:
        self._server = self._waiting.enter_context(started_server(self.timeout_s))
        return self._server

    def _stop(self) -> None:
        self._server = None
        self._waiting.close()

    @contextmanager
    def _started(self) -> Iterator[PackageServer]:
        """The server that was started ahead, or a new one; each validates one package."""
        try:
            yield self._server or self._start()
        finally:
            self._stop()

    def require_serves(
        self,
        model: ModelIdentity,
        mlflow_model: AbstractContextManager[Path],
        golden: GoldenRows,
        scorer: "Scorer",
    ) -> None:
        """Make sure that a package answers golden rows as the pipeline does.

        Args:
            model: Names the package.
            mlflow_model: Gives the folder of the MLflow model inside of it; entered only if a
                server is started.
            golden: Its golden rows.
            scorer: Opened from that folder.

        Raises:
            PackageDoesNotServeError: It does not.
        """
        if self.start_server:
            with self._started() as server, mlflow_model as folder:
                problem = server.difference(folder, golden)
        else:
            problem = difference_of(scorer, golden)
        if problem:
            raise PackageDoesNotServeError(
                f"Package {model.bentoml_tag} of base date {model.base_dt} does not serve as the"
                f" pipeline predicts: {problem}. It cannot be the champion. To package the model"
                " again, materialize bentoml_model and champion_model for this base date."
            )
