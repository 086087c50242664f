"""The ASGI application of one worker of `credit-ct serve`."""

import logging
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.errors.base import CreditCtError

# The supervisor imports this module to name `app`; only a worker imports what it needs.
if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from credit_ct_dagster.serving.log.prediction_log import PredictionLog

LIBRARIES = {
    # While MLflow is away, the old champion serves; a look must not wait for minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
"""Variables of libraries in the service's processes."""

_LOOK_SECONDS = 0.2

logger = logging.getLogger(__name__)


def app(folder: Path, host: str) -> "ASGIApp":
    """Make the application of this worker, with the champion loaded if it can be.

    Args:
        folder: That of the server.
        host: The address that the server listens on.
    """
    from credit_ct_dagster.serving.server import supervisor

    started = time.perf_counter()
    supervisor.end_with_supervisor()
    try:
        made = _app(folder, host)
    except CreditCtError as error:
        logger.error(str(error), extra={"code": error.code})
        sys.exit(supervisor.fail_to_start(folder))
    except Exception:
        logger.exception("This worker cannot start")
        sys.exit(supervisor.fail_to_start(folder))
    supervisor.note_start(folder)
    logger.info(f"This worker is ready after {time.perf_counter() - started:.1f} s")
    return made


def _app(path: Path, host: str) -> "ASGIApp":
    from functools import partial

    from credit_ct_dagster.alerting.service import ServiceAlerts
    from credit_ct_dagster.cli.service import api_keys
    from credit_ct_dagster.entry_point import set_up_process
    from credit_ct_dagster.operations.model_details import model_details
    from credit_ct_dagster.redaction import redacted
    from credit_ct_dagster.serving.follower import ChampionFollower, FollowerState
    from credit_ct_dagster.serving.http.middleware import GateOptions
    from credit_ct_dagster.serving.http.parts import Parts
    from credit_ct_dagster.serving.http.service import service_app
    from credit_ct_dagster.serving.server import supervisor
    from credit_ct_dagster.serving.server.folder import ServerFolder
    from credit_ct_dagster.serving.server.worker_state import WorkerState
    from credit_ct_dagster.wiring import Wiring

    settings = set_up_process(LIBRARIES)
    keys = api_keys(settings)
    # Read anew by every worker: keys that were taken away meanwhile must not open the service.
    supervisor.require_protection(host, keys)
    wiring = Wiring(settings)
    folder, log = ServerFolder(path), wiring.prediction_log
    log_state = partial(_log_state, log)

    def publish(state: FollowerState) -> None:
        folder.write(WorkerState.of(state, log_state()))

    follower = ChampionFollower(
        wiring.promotions,
        ServiceAlerts(
            folder,
            [wiring.webhook, wiring.mail],
            redacted,
            links={"health": wiring.dagster_ui.health_url()},
        ),
        publish,
    )
    parts = Parts(
        models=follower,
        log=log,
        customers=wiring.serving_store,
        details=partial(model_details, wiring.bentoml_store, wiring.artifacts, wiring.tracking),
        log_state=log_state,
        workers=lambda: [asdict(worker) for worker in folder.workers()],
    )
    options = GateOptions(
        keys=keys,
        max_body_bytes=settings.serving_max_body_bytes,
        timeout_s=settings.serving_timeout_seconds,
    )
    made = service_app(parts, options)
    log.start()
    follower.start()
    if follower.current is None and folder.another_serves():
        logger.warning("This worker has no model, and accepts no requests while another one does")
        while follower.current is None and folder.another_serves():
            time.sleep(_LOOK_SECONDS)

    def stop() -> None:
        follower.stop()
        log.stop()
        folder.forget(os.getpid())

    return _Stopping(made, stop)


class _Stopping:
    """An application that stops what it was made of, once every request was answered."""

    def __init__(self, app: "ASGIApp", stop: "Callable[[], None]") -> None:
        self._app, self._stop = app, stop

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def sent(message: "Message") -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                self._stop()
            await send(message)

        await self._app(scope, receive, sent)


def _log_state(log: "PredictionLog") -> dict[str, Any]:
    """The log's state, as /readyz shows it."""
    state = log.state()
    return {
        "status": "degraded" if state.degraded else "ready",
        "waiting": state.waiting + state.spooled,
        "problem": state.sentence,
        "accepting": state.accepting,
        "lag_seconds": round(state.lag_seconds, 1),
    }
