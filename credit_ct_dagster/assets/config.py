"""Run configuration whose values are refused before anything runs."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from pydantic import ValidationError

from credit_ct_dagster.runs.dagster_internals import check_config_when_planned


def refuses_bad_values(
    config_class: type[dg.Config],
) -> Callable[[dg.AssetsDefinition], dg.AssetsDefinition]:
    """Check a `Config` in full when a run is planned; stands above `@dg.asset`.

    Dagster itself checks pydantic's limits only when the step runs, after everything upstream.
    """

    def check(given: Any) -> None:
        try:
            config_class(**given)
        except ValidationError as error:
            problems = "; ".join(
                ": ".join([*map(str, found["loc"]), found["msg"]]) for found in error.errors()
            )
            raise dg.DagsterInvalidConfigError(
                f"{config_class.__name__}: {problems}", errors=[], config_value=given
            ) from error

    def decorate(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        check_config_when_planned(assets, config_class, check)
        return assets

    return decorate
