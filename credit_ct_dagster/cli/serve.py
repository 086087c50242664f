"""`credit-ct serve`: predictions of the champion over HTTP."""

import os
from functools import partial

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.service import api_keys
from credit_ct_dagster.entry_point import set_up_process


@click.command("serve", epilog=examples("credit-ct serve --port 8000 --workers 2"))
@click.option("--host", help="Address to listen on.  [default: SERVING_HOST, or 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: SERVING_PORT, or 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="[default: SERVING_WORKERS, or 2]")
def command(host: str | None, port: int | None, workers: int | None) -> None:
    """Answer with the champion over HTTP.

    Another champion is served within a second, without a restart. An address that other machines
    reach needs API keys (SERVING_API_KEYS, SERVING_API_KEYS_FILE).
    """
    from credit_ct_dagster.cli import service_app
    from credit_ct_dagster.serving.server import supervisor
    from credit_ct_dagster.serving.server.folder import ServerFolder

    settings = set_up_process(service_app.LIBRARIES)
    host, port = host or settings.serving_host, port or settings.serving_port
    supervisor.require_protection(host, api_keys(settings))
    with (
        supervisor.listening(host, port) as listener,
        ServerFolder.running(settings.serving_state_path) as folder,
    ):
        supervisor.lead_own_group()
        # prometheus-client reads it when a worker imports it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.metrics)
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{port}"
        console.print(f"The service: {url} (Ctrl-C ends it)\nLoading models: up to 20 s")
        supervisor.when_started(folder.path, lambda: console.print(f"The service answers: {url}"))
        supervisor.serve(
            partial(service_app.app, folder.path, host),
            listener,
            workers or settings.serving_workers,
            grace_seconds=settings.serving_timeout_seconds,
            log_config=supervisor.log_config(settings.log_format == "json"),
        )
