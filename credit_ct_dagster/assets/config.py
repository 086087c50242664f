"""Run configuration whose values are refused before anything runs."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from pydantic import ValidationError

from credit_ct_dagster.runs.config_errors import refused
from credit_ct_dagster.runs.dagster_internals import check_config_when_planned


def refuses_bad_values(
    config_class: type[dg.Config],
) -> Callable[[dg.AssetsDefinition], dg.AssetsDefinition]:
    """Check a `Config` in full when a run is planned; stands above `@dg.asset`.

    Dagster itself checks pydantic's limits only when the step runs, after everything upstream.
    """

    def decorate(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        def check(given: Any) -> None:
            try:
                config_class(**given)
            except ValidationError as error:
                raise dg.DagsterInvalidConfigError(
                    f"{assets.op.name}: {refused(error)}", errors=[], config_value=given
                ) from error

        check_config_when_planned(assets, config_class, check)
        return assets

    return decorate
