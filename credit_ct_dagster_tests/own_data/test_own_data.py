"""Another bank's data: a declaration is all that changes, from the CSV files to the watched day."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from credit_ct_dagster_tests.own_data import rows
from credit_ct_dagster_tests.platform import REPOSITORY, Templates

pytestmark = pytest.mark.integration

_DECLARATION = Path(__file__).with_name("credit_risk.yaml")
_WORDS_OF_CREDIT_SCORES = {"Poor", "Standard", "credit_score_features", "occupation", "customer_id"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Path:
    """Where a process with the other declaration has gone through the platform."""
    folder = tmp_path_factory.mktemp("own_data")
    (folder / "var").mkdir()
    shutil.copy(templates.mlflow, folder / "var" / "mlflow.db")
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    rows.write(folder)
    done = subprocess.run(
        [sys.executable, "-m", "credit_ct_dagster_tests.own_data.journey"],
        cwd=folder,
        env=os.environ
        | {
            "DATA_SCHEMA": str(_DECLARATION),
            "BENTOML_HOME": str(folder / "var" / "bentoml"),
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What it found."""
    content: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return content


def test_tables_have_the_declared_names_and_columns(folder: Path) -> None:
    """Sources, training rows and scores; the platform's own tables call keys as the bank does."""
    engine = sa.create_engine(f"sqlite:///{folder}/own.db", poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    columns = {
        table: [column["name"] for column in inspector.get_columns(table)]
        for table in inspector.get_table_names()
    }
    assert columns["loan_outcomes"] == ["application_no", "applicant", "observed_on", "risk"]
    assert columns["loan_training_rows"][:4] == ["base_dt", *columns["loan_outcomes"][:3]]
    assert "full_name" not in columns["loan_training_rows"]
    scores = columns["credit_customer_scores"]
    assert {"applicant", "risk", "probability_bad", "probability_good"} < set(scores)
    assert {"applicant", "risk", "probabilities"} < set(columns["credit_predictions"])
    assert {"application_no", "applicant", "observed_on"} < set(columns["credit_arrivals"])
    with engine.connect() as connection:
        count = "SELECT COUNT(*) FROM credit_customer_scores WHERE risk IN ('bad', 'good')"
        assert connection.exec_driver_sql(count).scalar() == rows.SCORED


def test_a_model_of_two_classes_passes_every_check(found: dict[str, Any]) -> None:
    """The check of the classes has one name, and one code, whatever their number."""
    assert found["checks"].pop("labels_hold_all_classes")
    assert all(found["checks"].values())
    assert found["merged"].endswith("loan_training_rows")
    assert found["monotone"] == {"classes": ["bad", "good"], "falls": True}
    assert found["calibrated"] == {"none": True, "sigmoid": True, "isotonic": True}


def test_the_package_serves_in_a_process_of_its_own(found: dict[str, Any]) -> None:
    """Which knows the declaration, too: otherwise no model of other data would be promoted."""
    assert found["promoted"].startswith("Promoted: there was no champion")


def test_a_file_of_customers_is_predicted(found: dict[str, Any]) -> None:
    """Keys, class and probabilities are called as the bank calls them."""
    header, *answers = found["predicted"]
    keys = "application_no,applicant,observed_on"
    assert header == f"{keys},risk,probability_bad,probability_good"
    assert {line.split(",")[3] for line in answers} == {"bad", "good"}


def test_requests_are_answered(found: dict[str, Any]) -> None:
    """With reasons in the words of the declaration; the document describes these customers."""
    answer = found["served"]["answer"]
    assert (answer["applicant"], answer["risk"]) == ("A000001", "bad")
    assert list(answer["probabilities"]) == ["bad", "good"]
    sentences = {each["feature"]: each["sentence"] for each in answer["reasons"]}
    assert sentences["duration_months"].endswith(
        "is longer than is usual for customers with the next better rating."
    )
    assert found["served"]["customer"]["feature_date"] <= rows.BASE_DT
    schemas = found["served"]["document"]["components"]["schemas"]
    assert schemas["Customer"]["properties"]["duration_months"]["maximum"] == 120
    assert {"applicant", "risk"} < set(schemas["PredictionAnswer"]["properties"])


def test_what_was_served_is_judged_by_labels_that_came_later(found: dict[str, Any]) -> None:
    """Two classes, and the groups that the declaration asks for."""
    [of_model] = found["performance"]["models"]
    assert of_model["labelled"] == rows.SCORED
    assert len(of_model["confusion"]) == 2
    kinds = {each["kind"] for each in of_model["slices"]}
    assert kinds == {"years of age band", "purpose"}
    assert found["health"]["base_dt"] == rows.BASE_DT


def test_no_page_speaks_of_credit_scores(found: dict[str, Any]) -> None:
    """Neither the model card nor the service's document has a word of the shipped declaration."""
    document = json.dumps(found["served"]["document"])
    for word in sorted(_WORDS_OF_CREDIT_SCORES):
        assert word not in found["card"]
        assert word not in document
    assert "predicts the risk of a customer as bad or good" in found["card"]
    assert "predicted good" in found["card"]
