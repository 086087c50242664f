"""The page of the HTTP service, by its OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.http.openapi import document
from credit_ct_dagster_docs import markdown as md

_TYPES = {"number": "number", "integer": "whole number", "boolean": "true or false"}


def page() -> str:
    """Every path, body, answer and error, of a model that takes all features."""
    found = document(RowContract(), version="", needs_key=True)
    return md.page(
        "HTTP API",
        "`credit-ct serve` answers on `SERVING_HOST` and `SERVING_PORT`. It serves this document"
        " itself, as a page to try requests on (`/`) and as OpenAPI 3.0 (`/docs.json`), with the"
        " words and features of the model that serves. Semantics, keys, the log and measurements"
        " are in [Serving](../serving.md).",
        "Where keys are set (`SERVING_API_KEYS`), send one as `X-API-Key`, or as `Authorization:"
        " Bearer`.",
        *(
            part
            for path, methods in found["paths"].items()
            for method, operation in methods.items()
            for part in _of_path(path, method, operation)
        ),
        "## Bodies",
        *(
            part
            for name, schema in found["components"]["schemas"].items()
            for part in _of_schema(name, schema)
        ),
    )


def _of_path(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {method.upper()} `{path}`"
    yield md.text(f"{operation['summary']}. {operation.get('description', '')}".strip())
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [[md.code(each["name"]), each["in"], md.text(each["description"])]
                for each in parameters]  # fmt: skip
        yield md.table(["parameter", "in", ""], rows)
    if "requestBody" in operation:
        yield f"Body: {_content(operation['requestBody'])}."
    rows = [
        [md.code(status), md.text(answer["description"].replace("\n- ", " · ").removeprefix("- ")),
         _content(answer)]
        for status, answer in operation["responses"].items()
    ]  # fmt: skip
    yield md.table(["status", "", "body"], rows)


def _of_schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    if schema.get("description"):
        yield md.text(" ".join(schema["description"].split("Attributes:")[0].split()))
    if "properties" not in schema:
        yield _type(schema)
        return
    rows = [
        [md.code(field), _type(each), "yes" if field in schema.get("required", []) else "",
         md.text(each.get("description", ""))]
        for field, each in schema["properties"].items()
    ]  # fmt: skip
    yield md.table(["field", "type", "required", ""], rows)


def _content(holder: dict[str, Any]) -> str:
    return ", ".join(
        f"`{kind}`, {_type(content['schema'])}" for kind, content in holder["content"].items()
    )


def _type(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref") or next(
        (each["$ref"] for each in schema.get("allOf", []) if "$ref" in each), None
    )
    if reference:
        name = reference.rpartition("/")[2]
        shown = f"[{name}](#{md.anchor(name)})"
    elif "enum" in schema:
        shown = " or ".join(md.code(str(each)) for each in schema["enum"] if each is not None)
    elif schema.get("type") == "array":
        shown = f"list of {_type(schema.get('items', {}))}"
        if "maxItems" in schema:
            shown += f", {schema.get('minItems', 0)} to {schema['maxItems']:,}"
    elif isinstance(schema.get("additionalProperties"), dict):
        shown = f"{_type(schema['additionalProperties'])} by name"
    else:
        shown = _TYPES.get(schema.get("type", ""), schema.get("type", "any"))
        shown += _limits(schema)
    return f"{shown} or null" if schema.get("nullable") else shown


def _limits(schema: dict[str, Any]) -> str:
    found = []
    if "minimum" in schema or "maximum" in schema:
        low, high = (
            f"{schema[name]:,.10g}" if name in schema else "" for name in ("minimum", "maximum")
        )
        found.append(f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}")
    if "maxLength" in schema:
        found.append(f"up to {schema['maxLength']:,} characters")
    return "".join(f", {each}" for each in found)
