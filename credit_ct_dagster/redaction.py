"""Texts without the secrets of this process's environment."""

import os
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from credit_ct_dagster.settings import Settings

_WHOLE_SECRETS = {
    "ALERT_WEBHOOK_URL",
    "SMTP_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD",
    "UI_PASSWORD",
    "SERVING_API_KEYS",
}


def redacted(text: str) -> str:
    """A text without the secrets of this process's environment, whatever a library put into it."""
    names = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if field.annotation in (SecretStr, SecretStr | None)
    }
    for name in names | _WHOLE_SECRETS:
        for secret in _secrets_in(name, os.environ.get(name, "")):
            text = text.replace(secret, "***")
    return text


def _secrets_in(name: str, value: str) -> set[str]:
    """What must not be shown of a secret: of an address the password, else all of it."""
    secrets = {value} if name in _WHOLE_SECRETS else {urlsplit(value).password or ""}
    if name == "SERVING_API_KEYS":
        secrets |= {key.strip() for key in value.split(",")}
    return {form for secret in secrets for form in (secret, unquote(secret)) if form}
