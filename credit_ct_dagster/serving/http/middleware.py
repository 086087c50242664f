"""What stands in front of every route: keys, limits, headers, access log, one shape of error.

It is plain ASGI and wraps the whole application, so that nothing of a request reaches a library
before it was looked at.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credit_ct_dagster.serving.http.admission import Keys, is_own_address
from credit_ct_dagster.serving.http.bodies import require_json
from credit_ct_dagster.serving.http.failures import failed
from credit_ct_dagster.serving.http.metrics import OTHER, Metrics
from credit_ct_dagster.serving.http.refusals import RefusedError

OPEN_ROUTES = frozenset({"/livez", "/readyz"})
"""They need no key; without one, /readyz has no details."""

_PASSED_OVER = 8
"""Up to so many times the limit is read and forgotten: a caller who is still sending when the
connection ends does not see the answer."""
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # The page of OpenAPI sets styles of its own, and has its pictures inside of them.
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        b" frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
]
_NO_STORE = (b"cache-control", b"no-store")
_REPLACED = {b"server", b"cache-control", *(name for name, _ in _SECURITY)}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GateOptions:
    """Limits of requests.

    Attributes:
        keys: Any of them opens the service; it is open to everyone if there are none.
        max_body_bytes: Of a request; 2 MiB hold 1,000 customers thrice.
        timeout_s: For a request to arrive and to be answered.
        access_log: Whether each request makes a line in the log.
    """

    keys: Sequence[str] = field(default=(), repr=False)
    max_body_bytes: int = 2 * 1024 * 1024
    timeout_s: float = 30.0
    access_log: bool = True


class Gate:
    """Lets requests through to the application.

    Every request gets `scope["state"]` with `request_id`, `started` (of `time.perf_counter`) and
    `admitted` (whether it has a key, if keys are required).
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Mapping[str, frozenset[str]],
        metrics: Metrics,
        options: GateOptions,
    ) -> None:
        """Stand in front of an application.

        Args:
            app: Answers.
            routes: The methods of each path. No other path reaches the application.
            metrics: Count requests.
            options: Limits.
        """
        self._app, self._routes, self._metrics, self._options = app, routes, metrics, options
        self._keys = Keys(options.keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = scope["path"] if scope["path"] in self._routes else OTHER
        outgoing = _Outgoing(send, uuid.uuid4().hex, is_static=route.startswith("/static_content/"))
        headers = dict(scope["headers"])
        scope["state"] = {
            **scope.get("state", {}),
            "request_id": outgoing.request_id,
            "started": started,
            "admitted": self._keys.admit(headers),
        }
        try:
            async with asyncio.timeout(self._options.timeout_s):
                self._check(scope, route, headers)
                if scope["method"] == "POST":
                    body = await self._body(receive, headers)
                    outgoing.has_body = True
                    receive = _replay(body, receive)
                await self._app(scope, receive, outgoing)
        except RefusedError as refusal:
            await self._refuse(refusal, scope, receive, outgoing)
        except TimeoutError:
            await self._refuse(self._late(outgoing.has_body), scope, receive, outgoing)
        except _LeftError:
            outgoing.status = 499  # nobody reads the answer
        except Exception as error:  # noqa: BLE001 - no traceback leaves the process
            await self._refuse(failed(error, route), scope, receive, outgoing)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request(route, outgoing.status, seconds)
            if self._options.access_log and route not in OPEN_ROUTES:
                logger.info(
                    "%s %s %d %.1f ms, request %s",
                    _method(scope),
                    route,
                    outgoing.status,
                    seconds * 1_000,
                    outgoing.request_id,
                )

    def _check(self, scope: Scope, route: str, headers: Mapping[bytes, bytes]) -> None:
        if route not in OPEN_ROUTES and not scope["state"]["admitted"]:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "Give one of the service's keys, as X-API-Key: KEY or Authorization: Bearer KEY.",
                # By which a browser asks for the key: as the password of any user.
                headers={"WWW-Authenticate": 'Basic realm="credit-ct", charset="UTF-8"'},
            )
        if not self._keys.required and not is_own_address(headers.get(b"host", b"")):
            raise RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "unknown_host",
                "Without API keys, the service answers only as localhost or by an address.",
            )
        if route == OTHER:
            raise RefusedError(
                HTTPStatus.NOT_FOUND,
                "not_found",
                "There is no such path; GET /docs.json lists them.",
            )
        methods = self._routes[route]
        if scope["method"] not in methods:
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"{route} takes {' and '.join(sorted(methods))}.",
                headers={"Allow": ", ".join(sorted(methods))},
            )
        if scope["method"] == "POST":
            require_json(headers.get(b"content-type", b"").decode("latin-1"))

    async def _body(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        most = self._options.max_body_bytes
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > _PASSED_OVER * most:
            raise _too_large(most)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _LeftError
            part = message.get("body", b"")
            size += len(part)
            if size <= most:
                parts.append(part)
            elif size > _PASSED_OVER * most or not message.get("more_body"):
                raise _too_large(most)
            if not message.get("more_body"):
                return b"".join(parts)

    def _late(self, has_body: bool) -> RefusedError:
        limit = f"{self._options.timeout_s:g} s"
        if has_body:
            return RefusedError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "timeout",
                f"There was no answer within {limit}. Send the request again, with the same"
                " Idempotency-Key if it had one.",
            )
        return RefusedError(
            HTTPStatus.REQUEST_TIMEOUT,
            "slow_request",
            f"The request did not arrive within {limit}.",
            headers={"Connection": "close"},
        )

    async def _refuse(
        self, refusal: RefusedError, scope: Scope, receive: Receive, outgoing: "_Outgoing"
    ) -> None:
        if not outgoing.status:  # otherwise an answer is on its way, and cannot be changed
            await refusal.response()(scope, receive, outgoing)


class _LeftError(Exception):
    """The caller closed the connection."""


class _Outgoing:
    """Adds headers to an answer, and remembers its status."""

    def __init__(self, send: Send, request_id: str, is_static: bool) -> None:
        self._send, self.request_id, self._is_static = send, request_id, is_static
        self.status = 0
        self.has_body = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kept = [pair for pair in message["headers"] if pair[0].lower() not in _REPLACED]
            message = {
                **message,
                "headers": [
                    *kept,
                    *_SECURITY,
                    *([] if self._is_static else [_NO_STORE]),
                    (b"x-request-id", self.request_id.encode()),
                ],
            }
        await self._send(message)


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"The body has more than {most:,} bytes.",
        headers={"Connection": "close"},
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read, for an application that reads it again."""
    pending = True

    async def received() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return received


def _method(scope: Scope) -> str:
    """For the log: callers may make methods up."""
    return scope["method"] if scope["method"] in HTTP_METHODS else "OTHER"


HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
