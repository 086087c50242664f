"""Where commands print."""

import logging
import warnings

import dagster as dg
from rich.console import Console

_TABLE_WIDTH = 180

console = Console(highlight=False, soft_wrap=True, width=_TABLE_WIDTH)


def silence_libraries() -> None:
    """Keep what only concerns their makers off the terminal; call it before they are imported."""
    # dagster-mlflow calls itself beta; MLflow reports every migration of a new store.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
