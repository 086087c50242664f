"""Run configuration whose values are refused before anything runs."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster._config import EvaluateValueResult, Field
from dagster._core.definitions.definition_config_schema import ConfiguredDefinitionConfigSchema
from pydantic import ValidationError


def refuses_bad_values(
    config_class: type[dg.Config],
) -> Callable[[dg.AssetsDefinition], dg.AssetsDefinition]:
    """Check a `Config` in full when a run is planned; stands above `@dg.asset`.

    Dagster checks names and types of configuration then, but pydantic's limits not until the step
    itself runs, after everything upstream.
    """

    def decorate(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        assets.op._config_schema = _CheckedSchema(config_class)
        return assets

    return decorate


class _CheckedSchema(ConfiguredDefinitionConfigSchema):
    """The one place where Dagster lets a definition judge its configuration when planning.

    It is the mechanism behind `@configured`, which assets do not offer. Not public: a test holds
    that it still works. It can go when Dagster validates `Config` at that point itself.
    """

    def __init__(self, config_class: type[dg.Config]) -> None:
        self._config_class = config_class
        self._field = config_class.to_config_schema().as_field()

    def as_field(self) -> Field:
        return self._field

    def resolve_config(self, processed_config: Any) -> EvaluateValueResult:
        given = processed_config.get("config", {})
        try:
            self._config_class(**given)
        except ValidationError as error:
            problems = "; ".join(
                ": ".join([*map(str, found["loc"]), found["msg"]]) for found in error.errors()
            )
            raise dg.DagsterInvalidConfigError(
                f"{self._config_class.__name__}: {problems}", errors=[], config_value=given
            ) from error
        return EvaluateValueResult.for_value(processed_config)
