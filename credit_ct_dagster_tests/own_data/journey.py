"""Another bank's data through the whole platform: the declaration is read once per process.

Run as a process of its own, in a folder with `outcomes.csv` and `applications.csv`; prints what was
found as JSON.
"""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, MONITORING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.served_performance import ServedPerformance
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.runs.purposes import MONITORING_ASSETS
from credit_ct_dagster.wiring import Wiring
from credit_ct_dagster_tests.modeling.conftest import training_data
from credit_ct_dagster_tests.own_data.rows import BASE_DT
from credit_ct_dagster_tests.platform import REPOSITORY, Platform, failure_of, metadata_of
from credit_ct_dagster_tests.scorer.conftest import made_pipelines, made_rows
from credit_ct_dagster_tests.serving.server.served_platform import RunningServer

_CUSTOMER = {
    "applicant": "A000001",
    "checking_status": "overdrawn",
    "duration_months": 60,
    "credit_amount": 9_000,
    "purpose": "car",
    "years_of_age": 22,
    "other_plans": "bank loan",
    "installment_rate": 4,
}


def main() -> None:
    """Load, train, promote, predict from a file and over HTTP, score, and watch."""
    folder = Path.cwd()
    platform = Platform(
        folder, f"sqlite:///{folder}/own.db", "credit_risk", f"sqlite:///{folder}/var/optuna.db"
    )
    found: dict[str, Any] = {}
    loaded = platform.command("load", "--labels", "outcomes.csv", "--features", "applications.csv")
    assert loaded.exit_code == 0, (loaded.output, loaded.exception)
    # Where it is validated, the package is served by a process of its own, as outside of tests.
    by_server = platform.settings.model_copy(update={"package_validation": "server"})
    with dg.instance_for_test() as instance:
        trained = platform.materialize(
            instance, scores=True, promotions=Wiring(by_server).promotions
        )
        assert trained.success, failure_of(trained)
        found["checks"] = {
            each.check_name: each.passed for each in trained.get_asset_check_evaluations()
        }
        found["promoted"] = metadata_of(trained, "champion_model")["decision"]
        found["merged"] = metadata_of(trained, "features_target")["table"]
        found["card"] = (platform.models().path / MODEL_CARD_FILE).read_text()
        found["monotone"] = _monotone(platform)
        found["calibrated"] = _calibrated()
        found["predicted"] = _predicted(platform)
        found["served"] = _served(platform)
        watched = platform.materialize(
            instance, selection=dg.AssetSelection.assets(*MONITORING_ASSETS)
        )
        assert watched.success, failure_of(watched)
    monitoring = platform.artifacts.open(MONITORING_FOLDER, BASE_DT)
    found["performance"] = json.loads(monitoring.read(ServedPerformance).to_json())
    found["health"] = json.loads(monitoring.read(HealthRecord).to_json())
    Path("found.json").write_text(json.dumps(found))


def _monotone(platform: Platform) -> dict[str, Any]:
    """A model that follows the declared direction: of two classes, it is one CatBoost model."""
    splits = platform.splits()
    train, val = (splits[SPLIT_FILES[name]] for name in ("train", "val"))
    data = training_data(train, val, monotone=True)
    params = {"iterations": 20, "depth": 3, "learning_rate": 0.3, "loss_function": "Logloss"}
    model = fit(data, params, 20, thread_count=1)
    same = pd.concat([val.head(1)] * len(val), ignore_index=True)
    same["duration_months"] = sorted(val["duration_months"])
    good = model.predict_proba(same[list(model.feature_names_)])[:, 1]
    return {
        "classes": [str(each) for each in model.classes_],
        "falls": bool((np.diff(good) <= 0).all()),
    }


def _calibrated() -> dict[str, bool]:
    """Per calibration, whether a package answers as scikit-learn does, which fits one curve."""
    rows = made_rows()
    return {
        method: bool(
            (
                pipeline.scorer().score_rows(rows["val"]).probabilities
                == pipeline.predicted(rows["val"])[1]
            ).all()
        )
        for method, pipeline in made_pipelines(rows).items()
    }


def _predicted(platform: Platform) -> list[str]:
    answers = platform.folder / "answers.csv"
    done = platform.command("predict", "applications.csv", "--output", str(answers))
    assert done.exit_code == 0, (done.output, done.exception)
    return answers.read_text().splitlines()


def _served(platform: Platform) -> dict[str, Any]:
    environment = {
        "DATA_SCHEMA": os.environ["DATA_SCHEMA"],
        "PYTHONPATH": str(REPOSITORY),
    }
    with RunningServer.of(platform, workers=1, environment=environment) as server:
        return {
            "answer": server.post("/predict", _CUSTOMER),
            "customer": server.post("/predict_customer", {"applicant": "A000001"}),
            "document": json.loads(server.get("/docs.json")),
        }


if __name__ == "__main__":
    main()
