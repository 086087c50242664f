"""The page of the variables of the environment."""

from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from credit_ct_dagster.settings import Settings
from credit_ct_dagster_docs import markdown as md


def page() -> str:
    """Every variable that the platform reads, its default, and what it is for."""
    rows = [
        [md.code(name.upper()), md.code(_default(field)), md.text(field.description or "")]
        for name, field in Settings.model_fields.items()
    ]
    return md.page(
        "Settings",
        "Variables of the environment, or lines of `.env` in the working directory; a variable of"
        " the environment takes precedence. All are optional. `.env.example` says more of each, and"
        " `deploy/.env.example` lists those of the stack for Docker.",
        md.table(["variable", "default", "what it is"], rows),
    )


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None and _is_number(field):
        return "none"
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(field: FieldInfo) -> bool:
    return int in get_args(field.annotation)
