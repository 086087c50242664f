"""Resources that a run configuration cannot change."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import dagster as dg

_FIXED = "Comes from the environment"
_Configurable = dg.ConfigurableResource | dg.ConfigurableIOManager

_FIXED = "credit_ct_fixed"
"""Marks a definition that was fixed: to configure it once more would ask for its options again."""


def fixed_by_environment(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The resources, with nothing left for a run to configure.

    Dagster makes the options that a resource was given the defaults of the run configuration,
    where whoever starts a run could replace them: addresses, paths, user names. A search would
    unpickle what the replaced one sends, and a password would be sent to it.

    Args:
        resources: By name, as for the definitions.
    """
    for resource in {id(each): each for each in resources.values()}.values():
        if isinstance(resource, _Configurable):
            _fix(resource)
    return dict(resources)


def _fix(resource: _Configurable) -> None:
    """Put `@configured`, which Dagster has for functions only, in front of a resource."""
    definition = resource.get_resource_definition()  # the one that Dagster itself will get
    if definition.config_schema.as_field().description == _FIXED:
        return
    configurable = copy(definition)
    options = configurable.config_schema.default_value
    none = dg.Field({}, is_required=False, description=_FIXED)
    fixed = configurable.configured(lambda _: options, config_schema=none)
    definition._config_schema = fixed.config_schema
