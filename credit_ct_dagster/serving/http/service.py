"""The HTTP service: BentoML's, with the routes, limits and pages of this platform around it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from credit_ct_dagster.errors.serving import NoChampionError
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http import openapi
from credit_ct_dagster.serving.http.answers import PredictionAnswer, PredictionsAnswer, model_answer
from credit_ct_dagster.serving.http.failures import failed
from credit_ct_dagster.serving.http.metrics import CONTENT_TYPE, Metrics
from credit_ct_dagster.serving.http.middleware import Gate, GateOptions
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.predicting import Asked, Predictor
from credit_ct_dagster.serving.http.refusals import RefusedError, unavailable
from credit_ct_dagster.serving.server.worker_state import names_of

if TYPE_CHECKING:  # BentoML takes a second to import
    import bentoml

NAME = "credit_score"
NOT_READY = "not ready"
_POSTS = ("/predict", "/predict_many", "/predict_customer")

Handler = Callable[[Asked], Awaitable[dict[str, Any]]]
_Answer = TypeVar("_Answer")


def service_app(parts: Parts, options: GateOptions | None = None) -> ASGIApp:
    """The service as an ASGI application, for one worker.

    Args:
        parts: What it is made of.
        options: Keys and limits. [default: no keys]
    """
    options = options or GateOptions()
    metrics = Metrics()
    pages = _Pages(parts, metrics, needs_key=bool(options.keys))
    app = bentoml_service(Predictor(parts, metrics)).to_asgi()
    static = _static_files(app)
    # BentoML's own pages of these names say less, or ask a foreign server for a script.
    app.router.routes[:0] = pages.routes()
    # Its tracing takes a third of the time of a request, and exports nowhere; its timeout keeps a
    # timer of each request for a minute, where the gate has its own.
    app.user_middleware = [
        each for each in app.user_middleware if each.cls.__name__ == "ContextMiddleware"
    ]
    routes = {path: frozenset({"POST"}) for path in _POSTS}
    routes |= {route.path: frozenset({"GET", "HEAD"}) for route in pages.routes()}
    routes |= {path: frozenset({"GET", "HEAD"}) for path in static}
    return Gate(app, routes, metrics, options)


def bentoml_service(predictor: Predictor) -> "bentoml.Service[Any]":
    """The service of BentoML that has the routes for predictions."""
    import bentoml

    class Body(bentoml.IODescriptor):
        """A body as it arrived.

        BentoML's own reading gives NaN the meaning of null, answers 500 to 1e999, and quotes
        values in errors.
        """

        __root_input__: ClassVar[bool] = True
        asked: Any = None

        @classmethod
        async def from_http_request(cls, request: Request, serde: Any) -> "Body":
            return cls.model_construct(asked=request)

    @bentoml.service(
        name=NAME,
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        traffic={"timeout": 3600},
    )
    class CreditScore:
        """Classes, calibrated probabilities and reasons of customers."""

        @bentoml.api(input_spec=Body, output_spec=PredictionAnswer)
        async def predict(self, body: Body, /) -> Response:
            """Score one customer."""
            return await _answered(body.asked, predictor.predict)

        @bentoml.api(input_spec=Body, output_spec=PredictionsAnswer)
        async def predict_many(self, body: Body, /) -> Response:
            """Score many customers."""
            return await _answered(body.asked, predictor.predict_many)

        @bentoml.api(input_spec=Body, output_spec=PredictionAnswer)
        async def predict_customer(self, body: Body, /) -> Response:
            """Score a customer of the feature store."""
            return await _answered(body.asked, predictor.predict_customer)

    return CreditScore


async def _answered(request: Request, handler: Handler) -> Response:
    """Whatever happens is answered here: BentoML would log it with the values of the row."""
    try:
        state = request.scope["state"]
        asked = Asked(await request.body(), request.headers, state["request_id"], state["started"])
        return _json(await handler(asked))
    except RefusedError as refusal:
        return refusal.response()
    except Exception as error:  # noqa: BLE001 - see above
        return failed(error, request.scope["path"]).response()


class _Pages:
    """What can be read of the service."""

    def __init__(self, parts: Parts, metrics: Metrics, needs_key: bool) -> None:
        self._parts, self._metrics, self._needs_key = parts, metrics, needs_key
        # Whoever asks how the service is does not wait for customers who are looked up.
        self._asking = ThreadPoolExecutor(1, "readiness")
        self._details: tuple[ServedModel, Mapping[str, Any]] | None = None

    def routes(self) -> list[Route]:
        return [
            Route("/", self._index),
            Route("/docs.json", self._openapi),
            Route("/model", self._model),
            Route("/livez", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._read_metrics),
        ]

    async def _index(self, _request: Request) -> Response:
        return HTMLResponse(openapi.PAGE)

    async def _openapi(self, _request: Request) -> Response:
        model = self._parts.models.current
        contract = model.contract if model else RowContract()
        release = version("credit-ct-dagster")
        return JSONResponse(openapi.document(contract, release, self._needs_key))

    async def _model(self, request: Request) -> Response:
        try:
            model = self._parts.models.current
            if model is None:
                raise unavailable(NoChampionError.code, "There is no model yet.")
            if self._details is None or self._details[0] is not model:
                self._details = model, await asyncio.to_thread(self._parts.details, model)
            answer = model_answer(model, self._details[1])
            return _json(answer.model_dump(mode="json"))
        except RefusedError as refusal:
            return refusal.response()
        except Exception as error:  # noqa: BLE001 - no traceback leaves the process
            return failed(error, request.scope["path"]).response()

    async def _alive(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        details = await self._asked(self._readiness)
        if not request.scope["state"]["admitted"]:
            details = {"status": details["status"]}
        answers = details["status"] != NOT_READY
        status = HTTPStatus.OK if answers else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(details, status_code=status)

    async def _read_metrics(self, _request: Request) -> Response:
        def text() -> bytes:
            self._metrics.state(self._readiness())
            return self._metrics.text()

        return Response(await self._asked(text), media_type=CONTENT_TYPE)

    async def _asked(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._asking, work)

    def _readiness(self) -> dict[str, Any]:
        """Of this worker; the details are for whoever has a key."""
        state = self._parts.models.state()
        log = dict(self._parts.log_state())
        # An answer that can be logged nowhere is not given: requests belong to another worker.
        if state.serving is None or not log.get("accepting", True):
            status = NOT_READY
        elif state.problem or log.get("status", "ready") != "ready":
            status = "degraded"
        else:
            status = "ready"
        return {
            "status": status,
            "model": names_of(state.serving),
            "since": state.since.isoformat(timespec="milliseconds") if state.since else None,
            "champion": names_of(state.wanted),
            "problem": state.problem,
            "code": state.code,
            "log": log,
            "workers": list(self._parts.workers()),
        }


def _json(value: Mapping[str, Any]) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(), media_type="application/json")


def _static_files(app: Starlette) -> list[str]:
    """The files of BentoML's Swagger UI, by their paths in the service."""
    [mounted] = [
        each.app
        for each in app.routes
        if isinstance(each, Mount) and isinstance(each.app, StaticFiles)
    ]
    files = Path(str(mounted.directory)).iterdir()
    return [f"/static_content/{file.name}" for file in files if file.is_file()]
