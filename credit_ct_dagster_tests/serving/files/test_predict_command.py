"""`credit-ct predict` and `credit-ct explain`: files, standard streams, exit codes."""

import io
import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from credit_ct_dagster.cli import predict
from credit_ct_dagster.cli.main import main
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.operations.model_choice import ChosenModel
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.scorer.reasons import protected_features
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.example import CUSTOMER_ID
from credit_ct_dagster.serving.files import file_scorer
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.serving.http.small_service import sample_rows
from credit_ct_dagster_tests.trained import Trained

_ANSWER = ["credit_score", "probability_poor", "probability_standard", "probability_good"]


class _Stopping:
    """A scorer whose process gets SIGTERM while it scores."""

    def __init__(self, scorer: Scorer) -> None:
        self.columns, self.classes = scorer.columns, scorer.classes

    def answer_rows(self, rows: pd.DataFrame, reasons: bool) -> pd.DataFrame:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError


@pytest.fixture(autouse=True)
def _no_platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these commands need a model and nothing else of the platform."""
    if "trained" not in request.fixturenames:
        monkeypatch.setattr(predict, "wired", lambda: None)
        _choose(monkeypatch, request.getfixturevalue("model"))
        monkeypatch.setattr(file_scorer, "_BATCH_ROWS", 7)


def _choose(monkeypatch: pytest.MonkeyPatch, model: ServedModel, scorer: Any = None) -> None:
    packaged = PackagedModel(
        identity=model.identity,
        record=PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={}),
        scorer=scorer or model.scorer,
        data=model.data,
    )
    monkeypatch.setattr(predict, "chosen_model", lambda *_: ChosenModel(packaged, "m:1"))


@pytest.fixture
def rows() -> pd.DataFrame:
    """Customers, with names."""
    return sample_rows(30, seed=3).head(30).reset_index(drop=True)


@pytest.fixture
def customers(rows: pd.DataFrame, tmp_path: Path) -> Path:
    """Their file."""
    path = tmp_path / "customers.csv"
    rows.to_csv(path, index=False)
    return path


def _predict(*arguments: str | Path, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], input=given)


def test_standard_input_and_output_are_a_filter(customers: Path, rows: pd.DataFrame) -> None:
    """Predictions alone are on standard output; what is said about them is on the other one."""
    done = _predict("-", given=customers.read_bytes())
    assert done.exit_code == 0, done.output
    found = pd.read_csv(io.StringIO(done.stdout), dtype={"id": str})
    assert list(found) == [*schema.KEY, *_ANSWER]
    assert list(found["id"]) == list(rows["id"].astype(str))
    assert done.stderr.startswith("30 rows scored in ")
    assert "\nModel m:1" in done.stderr
    assert not {"name", "ssn"} & set(found)


def test_other_formats_are_asked_for(customers: Path, tmp_path: Path) -> None:
    """By the suffix of a file, and by options where there is none."""
    parquet = tmp_path / "customers.parquet"
    pd.read_csv(customers).to_parquet(parquet)
    done = _predict("-", "--input-format", "parquet", "--format", "parquet",
                    given=parquet.read_bytes())  # fmt: skip
    assert pq.read_table(io.BytesIO(done.stdout_bytes)).num_rows == 30
    target = tmp_path / "predictions.jsonl"
    assert _predict(parquet, "--output", target, "--reasons").exit_code == 0
    assert "reasons" in json.loads(target.read_text().splitlines()[0])


def test_an_example_is_a_file_to_begin_with() -> None:
    """It is scored as it is printed, and its JSON line is the body of a request."""
    for format_ in ("csv", "jsonl"):
        printed = _predict("--example", "--format", format_)
        assert printed.exit_code == 0, printed.output
        done = _predict("-", "--input-format", format_, given=printed.stdout_bytes)
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[1].startswith(f"{CUSTOMER_ID},")
    assert RowContract().problems(json.loads(printed.stdout)) == []


@pytest.mark.parametrize(
    "arguments", [(), ("--example", "--format", "parquet"), ("--example", "x")]
)
def test_neither_a_file_nor_an_example_is_a_question_of_usage(arguments: tuple[str, ...]) -> None:
    """The exit code is that of a wrong option, and nothing is printed as a prediction."""
    done = _predict(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


def test_the_separator_that_was_named_is_taken(customers: Path, tmp_path: Path) -> None:
    """The command of the refusal's own sentence succeeds."""
    rows = pd.read_csv(customers)
    rows.to_csv(customers, index=False, sep=";")
    done = _predict(customers)
    assert done.exit_code == 1
    assert "--separator ';'" in done.stderr
    assert _predict(customers, "--separator", ";").exit_code == 0


def test_a_file_with_bad_rows_fails_and_changes_nothing(customers: Path, tmp_path: Path) -> None:
    """The output is as it was before, and nothing lies beside it."""
    rows = pd.read_csv(customers).assign(age=[*[30] * 20, *[777] * 10])
    rows.to_csv(customers, index=False)
    target = tmp_path / "predictions.csv"
    target.write_text("yesterday's")
    done = _predict(customers, "--output", target)
    assert done.exit_code == 1
    assert f"{customers}, line 22: age must be 14 to 120\n" in done.stderr
    assert "10 rows of" in done.stderr
    assert "--bad-rows skip" in done.stderr
    assert "777" not in done.output
    assert target.read_text() == "yesterday's"
    assert sorted(tmp_path.iterdir()) == [customers, target]


def test_rows_that_were_left_out_have_an_exit_code_of_their_own(
    customers: Path, tmp_path: Path
) -> None:
    """The first twenty are named on the terminal, and all of them in a file."""
    rows = pd.read_csv(customers).assign(age=[*[30] * 5, *[777] * 25])
    rows.to_csv(customers, index=False)
    target, refused = tmp_path / "predictions.csv", tmp_path / "refused.csv"
    done = _predict(customers, "--output", target, "--bad-rows", "skip", "--refused", refused)
    assert done.exit_code == 3
    assert "left out: 25 rows (age must be 14 to 120 (25 rows))" in done.stderr
    assert done.stderr.count(": age must be") == 20
    assert len(pd.read_csv(target)) == 5
    found = pd.read_csv(refused)
    assert list(found["line"]) == list(range(7, 32))
    assert set(found["rule"]) == {"age must be 14 to 120"}


def test_an_absent_column_is_named_before_anything_is_written(
    customers: Path, tmp_path: Path
) -> None:
    """Not even a header."""
    pd.read_csv(customers).drop(columns=["age", "monthly_balance"]).to_csv(customers, index=False)
    done = _predict(customers)
    assert done.exit_code == 1
    assert "lacks age, monthly_balance" in done.stderr
    assert done.stdout == ""


def test_sigterm_leaves_nothing_half_written(
    monkeypatch: pytest.MonkeyPatch, model: ServedModel, customers: Path, tmp_path: Path
) -> None:
    """As Ctrl-C does; and the handler of before is back."""
    _choose(monkeypatch, model, _Stopping(model.scorer))
    before = signal.getsignal(signal.SIGTERM)
    done = _predict(customers, "--output", tmp_path / "predictions.csv")
    assert done.exit_code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [customers]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_is_a_sentence(customers: Path) -> None:
    """A device is written to, and not replaced."""
    done = _predict(customers, "--output", "/dev/full", "--format", "csv")
    assert done.exit_code == 1
    assert "Predictions cannot be written to /dev/full: No space left" in done.stderr
    assert "CT-PREDICT-2" in done.stderr
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing.csv",), 1, "nothing.csv cannot be read: No such file"),
        (("customers.csv", "--output", "customers.csv"), 2, "is the file of customers"),
        (("customers.csv", "--output", "folder/p.csv"), 2, "does not exist"),
        (("customers.csv", "--output", "."), 2, "names no format"),
        (("customers.csv", "--output", ".", "--format", "csv"), 2, "is a folder"),
        (("customers.csv", "--output", "p.xlsx"), 2, "give --format"),
        (("customers.csv.gz",), 1, "zcat FILE | credit-ct predict -"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    customers: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int,
    message: str,
) -> None:  # fmt: skip
    """Before the model is loaded."""
    monkeypatch.chdir(customers.parent)
    done = _predict(*arguments)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())


def test_the_champion_predicts_a_file_as_it_does_a_frame(trained: Trained, tmp_path: Path) -> None:
    """So does its package by tag, by version and by base date; other names are refused."""
    platform = trained.platform
    rows = platform.store.read(BASE_DT).head(60)
    source = tmp_path / "customers.csv"
    rows.to_csv(source, index=False)
    champion = platform.promotions.champion()
    assert champion is not None
    expected = platform.promotions.load(champion).scorer.answer_rows(rows)
    tag = champion.bentoml_tag
    outputs = []
    for model in ("@champion", tag, tag.partition(":")[2], BASE_DT):
        done = platform.command("predict", str(source), "--model", model)
        assert done.exit_code == 0, done.output
        assert f"Model {tag} (base date {BASE_DT}, champion)" in done.stderr
        outputs.append(done.stdout)
    assert len(set(outputs)) == 1
    found = pd.read_csv(io.StringIO(outputs[0]), float_precision="round_trip")
    for name in _ANSWER:
        assert list(found[name]) == list(expected[name])
    for model, message in {
        "2025-02-01": "Base date 2025-02-01 has no package",
        "other:tag": "There is no package other:tag",
        "@previous": "There is no previous model",
        "2025-02-30": "2025-02-30",
    }.items():
        done = platform.command("predict", str(source), "--model", model)
        assert done.exit_code == 1
        assert message in done.stderr
        assert done.stdout == ""


def test_explain_says_why(trained: Trained) -> None:
    """By the newest features of the customer; neither name nor ssn is shown."""
    platform = trained.platform
    customer = str(platform.store.read(BASE_DT)[schema.CUSTOMER].iloc[0])
    done = platform.command("explain", "--customer", customer, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    newest = platform.store.newest_features(customer)
    assert newest is not None
    champion = platform.promotions.champion()
    assert champion is not None
    answer = platform.promotions.load(champion).scorer.score(newest[1])
    assert found == {
        "customer_id": customer,
        "feature_date": newest[0],
        "credit_score": answer.credit_score,
        "is_most_probable": answer.is_most_probable,
        "probabilities": answer.probabilities,
        "reasons": [reason.as_dict() for reason in answer.reasons],
        "compliance_flags": protected_features(answer.reasons),
        "warnings": [],
        "model": {"tag": champion.bentoml_tag, "base_dt": BASE_DT},
    }
    by_date = platform.command("explain", "--customer", customer, "--json", "--date", newest[0])
    assert json.loads(by_date.stdout) == found
    text = " ".join(platform.command("explain", "--customer", customer).stdout.split())
    assert f"by the features of {newest[0]}" in text
    for reason in answer.reasons:
        assert reason.sentence in text
    for arguments, message in {
        ("--customer", "nobody"): "has no features of this customer. Check",
        (
            "--customer",
            customer,
            "--date",
            "2024-01-01",
        ): "this customer dated 2024-01-01 or before",
    }.items():
        done = platform.command("explain", *arguments)
        assert done.exit_code == 1
        assert message in done.stderr
        assert "CT-PREDICT-3" in done.stderr
