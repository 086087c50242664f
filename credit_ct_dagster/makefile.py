"""What a person types: targets of the Makefile in the project's folder, elsewhere what they run."""

from pathlib import Path

_RUN_BY = {
    "dev": "credit-ct ui",
    "mlflow": "MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true"
    " mlflow server --backend-store-uri sqlite:///var/mlflow.db",
}


def command_of(target: str) -> str:
    """The command for a target, by the working directory.

    Args:
        target: `dev`, Dagster's UI; or `mlflow`, MLflow's.
    """
    is_project = Path.cwd() == Path(__file__).parents[1]
    return f"make {target}" if is_project else _RUN_BY[target]
