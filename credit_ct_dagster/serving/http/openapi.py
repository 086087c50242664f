"""The service's OpenAPI document, and the page that shows it.

BentoML makes such a document of its own; it knows neither null nor the bounds, and its page asks a
server of Google for a script. The files of its Swagger UI are used, without its style, which hides
the title.
"""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.contract import CUSTOMER, RowContract, customer_schema
from credit_ct_dagster.serving.http.answers import (
    ErrorAnswer,
    ModelAnswer,
    PredictionAnswer,
    PredictionsAnswer,
)
from credit_ct_dagster.serving.http.bodies import IDEMPOTENCY_KEY, LONGEST_KEY, MOST_ROWS

TITLE = f"{schema.TARGET.replace('_', ' ').capitalize()}s"
PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="UTF-8">
    <title>{title}</title>
    <link rel="stylesheet" type="text/css" href="./static_content/swagger-ui.css">
    <link rel="icon" type="image/png" href="./static_content/favicon-light-32x32.png">
    <style>
      body { margin: 0; background: #fafafa; }
      .topbar, .swagger-ui .servers-title, .swagger-ui .servers { display: none; }
      .swagger-ui .scheme-container { margin: 0; padding: 0; box-shadow: none; }
      .swagger-ui .info { margin: 30px 0; }
    </style>
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./static_content/swagger-ui-bundle.js" charset="UTF-8"></script>
    <script src="./static_content/swagger-ui-standalone-preset.js" charset="UTF-8"></script>
    <script src="./static_content/swagger-initializer.js" charset="UTF-8"></script>
  </body>
</html>
""".replace("{title}", TITLE)

_REF = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The body is not JSON in UTF-8.",
    "401": "A key is required, and none of the service's was given.",
    "404": "There is no such path, or no such customer.",
    "408": "The request did not arrive in time.",
    "409": "The Idempotency-Key belongs to another customer.",
    "413": "The body is too large.",
    "415": "The body does not call itself JSON.",
    "422": "A field breaks a rule; `problems` names fields and rules, and never a value.",
    "503": "There is no model, or neither the database nor its spool can take the prediction.",
    "504": "There was no answer in time.",
}
_REFUSED_ROW = "422"
_EXAMPLES = {
    "4": {"code": "unauthorized", "message": "Give one of the service's keys.", "problems": []},
    "5": {
        "code": "CT-SERVE-1",
        "message": "There is no model to answer with yet.",
        "problems": [],
    },
}
"""Of errors that are not of a row, by the first digit of their status."""
_PREDICTING = ("400", "401", "408", "409", "413", "415", "422", "503", "504")


def document(contract: RowContract, version: str, needs_key: bool) -> dict[str, Any]:
    """The document, of OpenAPI 3.0.

    Args:
        contract: Of the model that serves.
        version: Of this release.
        needs_key: Whether requests need a key.
    """
    found: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {
            "title": TITLE,
            "version": version,
            "description": "Classes, calibrated probabilities and reasons for raw features of"
            " customers, by the champion. Errors have one shape and quote no value.",
        },
        "servers": [{"url": "."}],
        "tags": [{"name": "Predictions"}, {"name": "Model"}, {"name": "Operation"}],
        "paths": {
            "/predict": _predict(),
            "/predict_many": _predict_many(),
            "/predict_customer": _predict_customer(),
            **_pages(),
        },
        "components": {"schemas": {**_answers(), "Customer": contract.json_schema()}},
    }
    if needs_key:
        found["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        found["security"] = [{"key": []}, {"bearer": []}]
    return found


def _predict() -> dict[str, Any]:
    return _post(
        "Score one customer",
        "The flat object of the raw features of one customer. Each must be given; null is a value"
        " that is not known.",
        _ref("Customer"),
        _ref("PredictionAnswer"),
        _PREDICTING,
    )


def _predict_many() -> dict[str, Any]:
    return _post(
        "Score many customers",
        f"A list of 1 to {MOST_ROWS:,} customers. What is wrong with one does not concern the"
        " others: each has its own prediction or error.",
        {"type": "array", "items": _ref("Customer"), "minItems": 1, "maxItems": MOST_ROWS},
        _ref("PredictionsAnswer"),
        _PREDICTING,
    )


def _predict_customer() -> dict[str, Any]:
    return _post(
        "Score a customer of the feature store",
        "Looks the customer's newest features up, and scores them.",
        {
            "type": "object",
            "properties": {CUSTOMER: customer_schema()},
            "required": [CUSTOMER],
            "additionalProperties": False,
        },
        _ref("PredictionAnswer"),
        (*_PREDICTING, "404"),
    )


def _pages() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    state = {"application/json": {"schema": {"type": "object"}}}
    model = {"application/json": {"schema": _ref("ModelAnswer")}}
    return {
        "/model": _get("Model", "The model that serves now", model, ("401", "503")),
        "/livez": _get("Operation", "Whether the process answers", state, (), is_open=True),
        "/readyz": _get(
            "Operation",
            "Whether there is a model; with a key, also how far the worker follows the champion and"
            " whether the log is degraded",
            state,
            ("503",),
            is_open=True,
        ),
        "/metrics": _get("Operation", "For Prometheus, summed over all workers", text, ("401",)),
    }


def _post(
    summary: str,
    description: str,
    body: Mapping[str, Any],
    answer: Mapping[str, Any],
    errors: tuple[str, ...],
) -> dict[str, Any]:
    key = {
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "required": False,
        "description": "Identifies the request: sent again with the same body, it gets the same"
        " answer, and is logged once.",
        "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": LONGEST_KEY},
    }
    return {
        "post": {
            "tags": ["Predictions"],
            "summary": summary,
            "description": description,
            "parameters": [key],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {
                "200": {
                    "description": "The answer, which is in the log.",
                    "content": {"application/json": {"schema": answer}},
                },
                **_errors(errors),
            },
        }
    }


def _get(
    tag: str,
    summary: str,
    content: Mapping[str, Any],
    errors: tuple[str, ...],
    is_open: bool = False,
) -> dict[str, Any]:
    described = {
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **_errors(errors)},
    }
    return {"get": described | ({"security": []} if is_open else {})}


def _errors(statuses: tuple[str, ...]) -> dict[str, Any]:
    """The answers to what is not fulfilled.

    They have one shape: the page would show it again for every status. The refusal of a row is
    described by itself, and others by the hundred where there are several.
    """
    groups: dict[str, list[str]] = {}
    for status in sorted(statuses):
        groups.setdefault(status if status == _REFUSED_ROW else status[0], []).append(status)
    return {
        members[0] if len(members) == 1 else f"{group}XX": {
            "description": _ERRORS[members[0]]
            if len(members) == 1
            else "\n".join(f"- {status}: {_ERRORS[status]}" for status in members),
            "content": {
                "application/json": {
                    "schema": _ref("ErrorAnswer"),
                    **({"example": {"error": _EXAMPLES[group]}} if group in _EXAMPLES else {}),
                }
            },
        }
        for group, members in groups.items()
    }


def _answers() -> dict[str, Any]:
    models = (PredictionAnswer, PredictionsAnswer, ModelAnswer, ErrorAnswer)
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_REF
    )
    return {name: _of_openapi_3_0(each) for name, each in definitions["$defs"].items()}


def _of_openapi_3_0(schema: Any) -> Any:
    """A schema of pydantic, in which null is a type: OpenAPI 3.0 says `nullable` instead."""
    if isinstance(schema, list):
        return [_of_openapi_3_0(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _of_openapi_3_0(each) for name, each in schema.items()}
    choices = [each for each in changed.pop("anyOf", []) if each != {"type": "null"}]
    if choices:
        [choice] = choices
        changed |= {"nullable": True, **({"allOf": choices} if "$ref" in choice else choice)}
    examples = changed.pop("examples", None) if "type" in changed else None
    return changed | ({"example": examples[0]} if examples else {})


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}
