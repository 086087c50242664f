"""The folder in which a model travels: an MLflow pyfunc, the same in BentoML and in MLflow."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from credit_ct_dagster import scorer, serving
from credit_ct_dagster.contracts.files import GOLDEN_FILE
from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.scorer import CLASS_COLUMN, ScorerRecord

# MLflow and pandas take seconds to import; only who writes a package needs them.
if TYPE_CHECKING:
    import pandas as pd
    from catboost import CatBoostClassifier
    from mlflow.models import ModelSignature

SCORER = "artifacts/scorer"
"""The folder of the scorer inside of that of the package."""

_SCRIPT = "mlflow_model.py"
_REQUIREMENTS = ("catboost", "numpy", "pandas", "scipy")


def write_package(
    folder: Path,
    model: "CatBoostClassifier | bytes",
    record: ScorerRecord,
    golden: GoldenRows | None = None,
) -> None:
    """Write the folder of a package.

    The same model, record and golden rows give the same bytes, wherever and whenever they are
    written: by its hash, a package is known to be new or not.

    Args:
        folder: Does not exist yet.
        model: The fitted model, which takes prepared rows; or its file, which is retained as it is.
        record: What its scorer knows besides the model.
        golden: Rows with their answers; None leaves them out.
    """
    import mlflow.pyfunc
    from mlflow.models import Model

    [platform] = serving.__path__
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary, "scorer")
        _write_scorer(made, model, record, golden)
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(model_uuid=None),
            python_model=Path(platform, _SCRIPT),
            artifacts={made.name: str(made)},
            signature=_signature(record),
            input_example=_example(record),
            # Named, not inferred: inferring takes seconds. MLflow adds itself.
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
            # MLflow would take a lock file in the working directory for that of the model.
            uv_project_path=made,
        )
    _without_place_and_time(folder / "MLmodel")


def _write_scorer(
    folder: Path,
    model: "CatBoostClassifier | bytes",
    record: ScorerRecord,
    golden: GoldenRows | None,
) -> None:
    from credit_ct_dagster.scorer.scorer import MODEL_FILE

    [code] = scorer.__path__
    shutil.copytree(code, folder / "code", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / record.FILE).write_bytes(record.to_json())
    if isinstance(model, bytes):
        (folder / MODEL_FILE).write_bytes(model)
    else:
        model.save_model(str(folder / MODEL_FILE))
    if golden is not None:
        (folder / GOLDEN_FILE).write_bytes(golden.to_json())


def _signature(record: ScorerRecord) -> "ModelSignature":
    """Columns of any type, none required: the scorer itself refuses what it cannot take, by name.

    MLflow's types refuse frames as people have them: `double` whole numbers from a CSV, `string` a
    column without any word. And of a required column that is absent, it quotes the rows.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name, required=False) for name in record.features]),
        outputs=Schema(
            [
                ColSpec("string", CLASS_COLUMN),
                *(ColSpec("double", f"probability_{name.lower()}") for name in record.classes),
            ]
        ),
    )


def _example(record: ScorerRecord) -> "pd.DataFrame":
    """The typical customer of each class."""
    import pandas as pd

    rows = [
        {name: record.typical[each].get(name) for name in record.features}
        for each in record.classes
    ]
    return pd.DataFrame(rows, columns=list(record.features), dtype=object)


def _without_place_and_time(file: Path) -> None:
    """Remove from MLflow's description where and when it was written."""
    description: dict[str, Any] = yaml.safe_load(file.read_text("utf8"))
    description.pop("utc_time_created", None)
    flavor = description["flavors"]["python_function"]
    flavor["model_code_path"] = _SCRIPT
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    file.write_text(yaml.safe_dump(description, sort_keys=True), "utf8")
