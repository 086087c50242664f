"""Create the empty stores of the working directory: their migrations take seconds."""

import os
from pathlib import Path

from mlflow import MlflowClient
from optuna.storages import RDBStorage

from credit_ct_dagster.runs.instance import configured_instance

if __name__ == "__main__":
    Path("var").mkdir()
    MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).search_experiments()
    RDBStorage(os.environ["OPTUNA_STORAGE_URL"])
    with configured_instance() as instance:
        instance.get_runs(limit=1)
