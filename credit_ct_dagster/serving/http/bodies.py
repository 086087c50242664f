"""Bodies of requests: strict JSON, and the key by which a request is recognised when repeated."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from credit_ct_dagster.serving.contract import Problem, plain_name
from credit_ct_dagster.serving.http.refusals import RefusedError, invalid, malformed

MOST_ROWS = 1_000
"""In one request of many customers."""
IDEMPOTENCY_KEY = "Idempotency-Key"

LONGEST_KEY = 64
_PRINTABLE = re.compile(r"[!-~]+")


class _RepeatedFieldError(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def require_json(content_type: str) -> None:
    """Refuse a body that does not call itself JSON, as browsers' forms do of other pages."""
    kind, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower()
    if kind.strip().lower() != "application/json" or charset not in (
        "",
        "charset=utf-8",
        'charset="utf-8"',
    ):
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as JSON in UTF-8, with the header Content-Type: application/json.",
        )


def parsed(body: bytes) -> Any:
    """The value of a body.

    `NaN`, `Infinity` and numbers too large for a double are left to the contract, which names the
    field.

    Raises:
        RefusedError: It is no JSON in UTF-8, is nested too deeply, or names a field twice.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_once_each)
    except _RepeatedFieldError as error:
        raise invalid(
            "A field is given more than once.",
            [Problem(plain_name(error.name), "must be given once")],
        ) from None
    except RecursionError:
        raise malformed("The body is nested too deeply.") from None
    except ValueError:
        raise malformed("The body is not JSON in UTF-8.") from None


def rows_of(body: Any) -> list[Any]:
    """The rows of a request of many customers.

    Raises:
        RefusedError: It is no list, an empty one, or one that is too long.
    """
    if not isinstance(body, list) or not 1 <= len(body) <= MOST_ROWS:
        raise invalid(f"The body must be a JSON list of 1 to {MOST_ROWS:,} customers.")
    return body


def given_key(headers: Mapping[str, str], longest: int = LONGEST_KEY) -> str | None:
    """The caller's key of a request; None without one.

    Raises:
        RefusedError: It is empty, too long, or not of printable characters of ASCII.
    """
    key = headers.get(IDEMPOTENCY_KEY)
    if key is None or (len(key) <= longest and _PRINTABLE.fullmatch(key)):
        return key
    raise invalid(
        f"The header {IDEMPOTENCY_KEY} must be 1 to {longest} printable ASCII characters without"
        " blanks."
    )


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RepeatedFieldError(name)
            seen.add(name)
    return found
