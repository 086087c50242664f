"""The platform's service with one worker, without reasons and without a log."""

import click
import uvicorn

from credit_ct_dagster.cli.service_app import LIBRARIES
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.serving.follower import ChampionFollower
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.service import service_app
from credit_ct_dagster.wiring import Wiring


@click.command()
@click.option("--port", type=int, required=True)
def main(port: int) -> None:
    """Serve the champion of the working directory's platform, and follow it."""
    follower = ChampionFollower(Wiring(set_up_process(LIBRARIES)).promotions)
    app = service_app(Parts(models=follower, reasons=False))
    follower.start()
    uvicorn.run(
        app, port=port, interface="asgi3", lifespan="on", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
