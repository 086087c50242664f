"""Where commands print."""

import logging
import warnings

from rich.console import Console

_TABLE_WIDTH = 180

console = Console(highlight=False, soft_wrap=True, width=_TABLE_WIDTH)


def silence_libraries() -> None:
    """Suppress messages meant for the authors of libraries; call it before they are imported."""
    import dagster as dg

    # dagster-mlflow calls itself beta; MLflow reports every migration of a new store.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
    # The error reports a lost connection; the pool that takes it back would print a traceback, too.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
