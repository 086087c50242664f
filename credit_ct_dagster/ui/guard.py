"""What stands in front of Dagster's UI, which itself accepts whatever reaches it.

Dagster executes a mutation that comes by GET, or as a form, and from a page of any site: a web page
that somebody opens could start runs on a server that only that person can reach.
"""

import secrets
from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

HEALTH = "/server_info"
"""The versions of Dagster: health checks ask for it, without a login."""

_READING = {"GET", "HEAD", "OPTIONS"}
_POLICY_VIOLATION = 1008


@dataclass(frozen=True)
class Access:
    """Who may use the UI.

    Attributes:
        hosts: The names by which it may be called, without ports.
        address: Where people open it.
        user: The user to log in as.
        password: The password; None asks for no login.
    """

    hosts: Collection[str]
    address: str
    user: str
    password: str | None = None


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """An ASGI application that passes on only what the pages of the UI themselves would send."""
    return TrustedHostMiddleware(
        _Guard(app, access),
        allowed_hosts=sorted({*access.hosts, urlsplit(access.address).hostname or ""} - {""}),
        www_redirect=False,
    )


class _Guard:
    """Refuses requests of other sites, mutations that a form can send, and who is not logged in."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, _without_frames(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if not self._is_logged_in(scope, headers):
            return PlainTextResponse(
                "Log in to use Dagster.", 401, {"WWW-Authenticate": 'Basic realm="Dagster"'}
            )
        method = scope.get("method", "")  # a websocket has none
        if method in _READING:
            # A page asks for the editor of queries; whatever else is asked for by GET is executed.
            is_query = scope["path"].rstrip("/").endswith("/graphql")
            if is_query and "text/html" not in headers.get("accept", ""):
                return PlainTextResponse("Queries are sent by POST.", 405, {"Allow": "POST"})
            return None
        if not self._is_of_our_pages(headers):
            return PlainTextResponse("Pages of other sites may not use Dagster.", 403)
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if method and media_type != "application/json":
            return PlainTextResponse("Send application/json.", 415)
        return None

    def _is_of_our_pages(self, headers: Headers) -> bool:
        """Whether a request comes from a page of this server, or from no page at all."""
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return False
        origins = headers.getlist("origin")
        ours = urlsplit(self._access.address)
        return all(
            urlsplit(origin).netloc == headers.get("host") or _origin_of(origin) == ours[:2]
            for origin in origins
        )

    def _is_logged_in(self, scope: Scope, headers: Headers) -> bool:
        password = self._access.password
        if not password or scope["path"] == HEALTH:
            return True
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        try:
            given = b64decode(credentials.strip(), validate=True)
        except (NotBase64Error, ValueError):
            return False
        expected = f"{self._access.user}:{password}".encode()
        return secrets.compare_digest(given, expected) and scheme.lower() == "basic"


def _origin_of(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _without_frames(send: Send) -> Send:
    """Let no page of another site show the UI in a frame, and have its buttons clicked."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "DENY"
        await send(message)

    return send_with_header
