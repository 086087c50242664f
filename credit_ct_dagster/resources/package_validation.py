"""How a package is validated before it becomes the champion."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import PackageDoesNotServeError
from credit_ct_dagster.serving.golden import difference_of
from credit_ct_dagster.serving.server.validation import served_difference

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
            with mlflow_model as folder:
                problem = served_difference(folder, golden, self.timeout_s)
        else:
            problem = difference_of(scorer, golden)
        if problem:
            raise PackageDoesNotServeError(
                f"Package {model.bentoml_tag} of base date {model.base_dt} does not serve as the"
                f" pipeline predicts: {problem}. It cannot be the champion. To package the model"
                " again, materialize bentoml_model and champion_model for this base date."
            )
