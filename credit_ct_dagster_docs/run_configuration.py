"""The page of the run configuration: what the launchpad, `--config` and RUN_CONFIG take."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from credit_ct_dagster.definitions import ASSETS, CHECKS
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster_docs import markdown as md


def page() -> str:
    """Every option of every op, and the hours of the schedules."""
    return md.page(
        "Run configuration",
        "What can be configured of a run: in the launchpad, by `credit-ct run --config run.yaml`,"
        " or for every run by a file that `RUN_CONFIG` names ([how](../how-to/configure-runs.md))."
        " Each op is an entry of `ops`:",
        md.block("yaml", "ops:\n  tuned_runs:\n    config:\n      max_trials: 40"),
        *(part for definition in [*ASSETS, *CHECKS] for part in _of_op(definition)),
        "## `schedules`",
        "Only in the file that `RUN_CONFIG` names: at which time of day in Seoul each schedule"
        " starts its runs.",
        _options(Hours),
    )


def _config_class(definition: dg.AssetsDefinition) -> type[BaseModel] | None:
    """The configuration of an op; None where it has none."""
    function: Any = definition.op.compute_fn  # Dagster does not publish its type
    return function.get_config_arg().annotation if function.has_config_arg() else None


def _of_op(definition: dg.AssetsDefinition) -> Iterator[str]:
    config = _config_class(definition)
    if config is None or not config.model_fields:
        return
    yield f"## `{definition.op.name}`"
    if definition.check_keys:
        yield f"The check of `{next(iter(definition.check_keys)).asset_key.to_user_string()}`."
    yield _options(config)


def _options(config: type[BaseModel]) -> str:
    schema = config.model_json_schema()
    bounds, shared = schema.get("properties", {}), schema.get("$defs", {})
    return md.table(
        ["option", "default", "accepts", "what it does"],
        [
            [
                md.code(name), md.code(shown(_default(field))),
                md.text(_accepted(bounds.get(name, {}), shared)), md.text(field.description or ""),
            ]
            for name, field in config.model_fields.items()
        ],
    )  # fmt: skip


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def shown(value: object) -> str:
    """A default as YAML writes it."""
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(each)}' for key, each in value.items())}}}"
    return f"{value:%H:%M}" if hasattr(value, "minute") else str(value)


def _accepted(described: dict[str, Any], shared: dict[str, Any]) -> str:
    """The kind and the limits of an option, by its JSON schema and what that refers to."""
    choices = described.get("anyOf") or [described]
    resolved = [shared.get(each.get("$ref", "").rpartition("/")[2], each) for each in choices]
    kinds = [_kind(each) for each in resolved if each.get("type") != "null"]
    if {"type": "null"} in choices:
        kinds.append("null")
    return " or ".join(dict.fromkeys(filter(None, kinds)))


def _kind(described: dict[str, Any]) -> str:
    if "enum" in described:
        return ", ".join(map(str, described["enum"]))
    kind = {"integer": "whole number", "boolean": "true or false", "object": "mapping"}.get(
        described.get("type", ""), described.get("type", "")
    )
    if described.get("type") == "array":
        return f"list of {_kind(described.get('items', {})) or 'values'}"
    limits = [
        f"{words} {described[name]:g}"
        for name, words in (
            ("minimum", "from"), ("exclusiveMinimum", "above"),
            ("maximum", "to"), ("exclusiveMaximum", "below"),
        )
        if name in described
    ]  # fmt: skip
    return " ".join([kind, *limits])
