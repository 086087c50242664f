"""The package as others use it: by MLflow and BentoML, with and without this platform."""

import asyncio
import io
import json
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import PyFuncModel, scoring_server

from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import calibrate
from credit_ct_dagster.serving.packaging import write_package
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.resources.packages import any_data, any_model
from credit_ct_dagster_tests.trained import Trained

_CUSTOMERS = """
import io, json, sys
import bentoml, mlflow, pandas as pd

try:
    import credit_ct_dagster
    sys.exit("the platform is installed here")
except ImportError:
    pass
raw = pd.read_parquet("raw.parquet")
csv = pd.read_csv(io.StringIO(raw.to_csv(index=False)))
models = {
    "mlflow": mlflow.pyfunc.load_model(sys.argv[1]),
    "bentoml": bentoml.mlflow.load_model(sys.argv[2]),
}
for name, model in models.items():
    model.predict(raw).to_parquet(f"{name}.parquet")
    model.predict(csv).to_parquet(f"{name}-csv.parquet")
print(json.dumps([name for name in sys.modules if "sklearn" in name or "dagster" in name]))
"""


@pytest.fixture(scope="module")
def folder(trained: Trained) -> Path:
    """The MLflow model of the trained platform, in the BentoML store."""
    [package] = trained.platform.packages.packaged()
    return package.folder / "mlflow_model"


@pytest.fixture(scope="module")
def raw(trained: Trained) -> pd.DataFrame:
    """The raw holdout rows of the trained platform, some with nothing in them."""
    return raw_rows(trained.platform.artifacts, BASE_DT, "holdout")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> PyFuncModel:
    """The same model, as MLflow loads it."""
    return mlflow.pyfunc.load_model(str(folder))


def _expected(trained: Trained) -> pd.DataFrame:
    """What the pipeline predicts of the holdout: scikit-learn's scalers and calibration.

    The class is the one whose weighted probability is highest, by the weights of the package.
    """
    platform = trained.platform
    [package] = platform.packages.packaged()
    weights = np.diag(np.array(platform.packages.load(package.tag).data.gains))
    splits, best = platform.splits(), platform.models()["best.cbm"]
    model = calibrate(best, splits["{model_name}_val.parquet"]).model
    holdout = splits["{model_name}_holdout.parquet"]
    probabilities = pd.DataFrame(model.predict_proba(holdout), columns=model.classes)
    return pd.DataFrame(
        {
            "credit_score": np.array(schema.CLASSES)[
                (probabilities[schema.CLASSES].to_numpy() * weights).argmax(axis=1)
            ],
            **{f"probability_{name.lower()}": probabilities[name] for name in schema.CLASSES},
        }
    )


def test_a_clean_environment_predicts_raw_rows_as_the_pipeline_does(
    trained: Trained, raw: pd.DataFrame, tmp_path: Path
) -> None:
    """Where the platform is not installed, the champion's alias and the tag are all one needs."""
    platform = trained.platform
    [package] = platform.packages.packaged()
    raw.to_parquet(tmp_path / "raw.parquet")
    venv.create(tmp_path / "venv", with_pip=False)
    scheme = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=scheme))
    # Everything that is installed for these tests, but not the platform, which is in a folder that
    # another file of this kind adds.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    done = subprocess.run(
        [
            tmp_path / "venv" / "bin" / "python", "-c", _CUSTOMERS,
            f"models:/{platform.model_name}@champion", package.tag,
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={
            "MLFLOW_TRACKING_URI": platform.tracking.tracking_uri,
            "BENTOML_HOME": platform.packages.home,
            "BENTOML_DO_NOT_TRACK": "True",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    expected = _expected(trained)
    assert raw[schema.WORDS].isna().any().any()
    for file in ("mlflow", "bentoml", "mlflow-csv", "bentoml-csv"):
        answers = pd.read_parquet(tmp_path / f"{file}.parquet")
        pd.testing.assert_frame_equal(answers, expected, check_exact=True)
    np.testing.assert_allclose(expected.filter(like="probability").sum(axis=1), 1)


def _as_csv(rows: pd.DataFrame) -> pd.DataFrame:
    whole = rows.assign(age=rows["age"].fillna(30).round(), num_of_loan=2.0).astype(
        {"age": int, "num_of_loan": int}
    )
    read = pd.read_csv(io.StringIO(whole.to_csv(index=False)))
    assert read["age"].dtype == np.int64
    return read


_FRAMES: dict[str, Any] = {
    "whole numbers from a CSV": _as_csv,
    "pandas' own types": lambda rows: rows.convert_dtypes(),
    "single precision": lambda rows: rows.astype(dict.fromkeys(schema.NUMERIC, "float32")),
    "categories": lambda rows: rows.astype(dict.fromkeys(schema.CATEGORICAL, "category")),
    "a column without words": lambda rows: rows.assign(occupation=np.nan, type_of_loan=None),
    "a column without numbers": lambda rows: rows.assign(age=None),
    "objects": lambda rows: rows.astype(object),
    "other order, other columns": lambda rows: rows[rows.columns[::-1]].assign(more="columns"),
    "other index": lambda rows: rows.set_index(rows["customer_id"] + "-" + rows["id"]),
    "one row": lambda rows: rows.head(1),
    "no row": lambda rows: rows.head(0),
}


@pytest.mark.parametrize("kind", _FRAMES)
def test_frames_are_taken_as_people_have_them(
    trained: Trained, loaded: PyFuncModel, raw: pd.DataFrame, kind: str
) -> None:
    """With the answers of the platform's own scorer, and the index of the rows."""
    rows = _FRAMES[kind](raw)
    [package] = trained.platform.packages.packaged()
    answers: Any = loaded.predict(rows)
    expected = trained.platform.packages.load(package.tag).scorer.answer_rows(rows)
    pd.testing.assert_frame_equal(answers, expected, check_exact=True)
    assert answers.index.equals(rows.index)


def test_rows_that_cannot_be_scored_are_refused_by_the_column(
    loaded: PyFuncModel, raw: pd.DataFrame
) -> None:
    """No value of a row is in the error."""
    for refused, rows in {
        "there is no column age, occupation": raw.drop(columns=["age", "occupation"]),
        "age holds something else than numbers": raw.assign(age="secret"),
        "age holds a number that is not finite": raw.assign(age=np.inf),
        "occupation holds something else than words": raw.assign(occupation=98765),
    }.items():
        with pytest.raises(ValueError, match=f"^{refused}$"):
            loaded.predict(rows)


def _ask(model: PyFuncModel, *bodies: Any) -> list[httpx.Response]:
    """What MLflow's server of a model answers."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(scoring_server.init(model))
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return [await client.post("/invocations", json=body) for body in bodies]

    return asyncio.run(ask())


def test_mlflow_serves_it(loaded: PyFuncModel, folder: Path) -> None:
    """Both forms of JSON, with nulls; what is refused is named, without the value."""
    example = json.loads((folder / "serving_input_example.json").read_text())["dataframe_split"]
    record = dict(zip(example["columns"], example["data"][0], strict=True))
    records = [record, {**record, "occupation": None, "age": 31}, dict.fromkeys(record)]
    split = {"columns": list(record), "data": [list(each.values()) for each in records]}
    expected: Any = loaded.predict(pd.DataFrame(records))
    for answer in _ask(loaded, {"dataframe_records": records}, {"dataframe_split": split}):
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"] == expected.to_dict("records")
    for name, value in {"age": "secret", "occupation": 98765}.items():
        [answer] = _ask(loaded, {"dataframe_records": [{**record, name: value}]})
        assert answer.status_code == 400
        assert f"{name} holds something else" in answer.text
        assert str(value) not in answer.text


def test_it_describes_itself(folder: Path) -> None:
    """A signature of the raw columns, all nullable, an example, and requirements with versions."""
    described = mlflow.models.get_model_info(str(folder))
    assert described.signature.inputs.input_names() == schema.FEATURES
    assert described.signature.outputs.input_names() == [
        "credit_score", "probability_poor", "probability_standard", "probability_good"
    ]  # fmt: skip
    assert set(described.signature.inputs.optional_input_names()) == set(schema.FEATURES)
    needed = ["mlflow", "catboost", "numpy", "pandas", "scipy"]
    assert (folder / "requirements.txt").read_text().split() == [
        f"{name}=={version(name)}" for name in needed
    ]


def test_packages_of_one_process_have_code_of_their_own(folder: Path, loaded: PyFuncModel) -> None:
    """Neither another package nor the installed platform is used, or replaced."""
    again = mlflow.pyfunc.load_model(str(folder))
    scorers = [each.unwrap_python_model()._scorer for each in (loaded, again)]
    modules = [sys.modules[type(each).__module__] for each in scorers]
    assert modules[0] is not modules[1]
    assert {str(module.__file__) for module in modules} == {
        str(folder / "artifacts" / "scorer" / "code" / "scorer.py")
    }
    assert "credit_ct_dagster" not in modules[0].__name__


def test_the_same_model_gives_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever and wherever it is packaged, with nothing of the working directory in it."""
    model, data = any_model(), any_data()
    write_package(tmp_path / "first", model, data)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in ("uv.lock", "pyproject.toml"):
        (elsewhere / file).write_text("version = 1\nrequires-python = '>=3.11'\n")
    monkeypatch.chdir(elsewhere)
    write_package(tmp_path / "second", model, data)
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("first", "second")
    )
    assert first == second
    assert all(str(tmp_path).encode() not in content for content in first.values())
    assert ScorerRecord.FILE in {path.name for path in first}


def test_loading_a_package_does_not_change_what_it_is(
    trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python compiles code where it lies; that is neither hashed nor registered."""
    packages = trained.platform.packages
    [package] = packages.packaged()
    before = packages.sha256(package.tag)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    mlflow.pyfunc.load_model(str(folder))
    assert list(folder.rglob("*.pyc"))
    assert packages.sha256(package.tag) == before
    with packages.mlflow_model(package.tag) as copy:
        assert not list(copy.rglob("*.pyc"))
