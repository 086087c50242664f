"""`credit-ct ui`: Dagster's UI, for people only."""

import os
from functools import partial
from pathlib import Path

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.errors.operation import DaemonSilentError
from credit_ct_dagster.first_base_date import first_base_date
from credit_ct_dagster.runs.instance import configured_instance, place_of_history
from credit_ct_dagster.runs.shipped_files import WORKSPACE, own_or_shipped


@click.command("ui", epilog=examples("credit-ct ui --port 3000"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--workspace",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Names the code locations. [default: workspace.yaml, or the one that is shipped with the"
    " platform]",
)
@click.option(
    "--daemon/--no-daemon",
    default=True,
    show_default=True,
    help="Run Dagster's daemon as well: schedules, sensors and the queue.",
)
def command(host: str, port: int, workspace: Path | None, daemon: bool) -> None:
    """Serve Dagster's UI to people, and to no page of another site.

    It answers to the names in UI_ALLOWED_HOSTS and WEBSERVER_URL, and asks for UI_USER and
    UI_PASSWORD if the password is set.
    """
    settings = wired().settings
    address = _address(host, port)
    is_named = "webserver_url" in settings.model_fields_set
    # To which alerts and pages link: what this process starts inherits it.
    os.environ["WEBSERVER_URL"] = linked = settings.webserver_url if is_named else address
    from credit_ct_dagster.serving.server.supervisor import listening
    from credit_ct_dagster.ui.guard import Access
    from credit_ct_dagster.ui.server import serve

    named = workspace or own_or_shipped(WORKSPACE)
    password = settings.ui_password
    access = Access(
        hosts=settings.ui_allowed_hosts,
        address=linked,
        user=settings.ui_user,
        password=password.get_secret_value() if password else None,
    )
    with listening(host, port, "credit-ct ui") as listener, configured_instance() as instance:
        console.print(f"Dagster's UI: {address} (Ctrl-C ends it)", markup=False)
        console.print(f"Its history stays: it is {place_of_history()}", markup=False)
        interrupted = serve(
            instance, named.absolute(), access, listener, daemon,
            partial(first_base_date, settings),
        )  # fmt: skip
    if not interrupted:
        raise DaemonSilentError(
            "Dagster's daemon ended, and the UI with it. Its output is above: correct the cause,"
            " then start credit-ct ui again."
        )


def _address(host: str, port: int) -> str:
    """Where people on this machine open the UI."""
    match host:
        case "0.0.0.0":  # noqa: S104 - named, and not listened on
            name = "127.0.0.1"
        case "::":
            name = "[::1]"
        case _:
            name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"
