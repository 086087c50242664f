"""`credit-ct predict`: places that it must not, or cannot, read and write."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from credit_ct_dagster.cli import predict
from credit_ct_dagster.cli.main import main
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.operations.model_choice import ChosenModel
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.serving.http.small_service import sample_rows


@pytest.fixture(autouse=True)
def _chosen(model: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    record = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})
    packaged = PackagedModel(
        identity=model.identity, record=record, scorer=model.scorer, data=model.data
    )
    monkeypatch.setattr(predict, "wired", lambda: None)
    monkeypatch.setattr(predict, "chosen_model", lambda *_: ChosenModel(packaged, "m:1"))


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A file of customers."""
    path = tmp_path / "customers.csv"
    sample_rows(30, seed=3).head(30).to_csv(path, index=False)
    return path


def _predict(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


@pytest.mark.parametrize("linked", [False, True])
def test_refused_rows_replace_no_other_file(customers: Path, tmp_path: Path, linked: bool) -> None:
    """Neither the customers, also under another name, nor the predictions."""
    before = customers.read_bytes()
    refused = customers
    if linked:
        refused = tmp_path / "other.csv"
        refused.hardlink_to(customers)
    done = _predict(customers, "--refused", refused)
    assert (done.exit_code, customers.read_bytes()) == (2, before)
    assert "--refused is the file of customers" in done.stderr
    target = tmp_path / "answers.csv"
    done = _predict(customers, "--output", target, "--refused", target)
    assert (done.exit_code, target.exists()) == (2, False)
    assert "--refused is the file of --output" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_for_refused_rows_is_an_error_with_a_sentence(customers: Path) -> None:
    """And not a traceback at the end."""
    done = _predict(customers, "--refused", "/dev/full")
    assert done.exit_code == 1
    assert "cannot be written to /dev/full" in done.stderr


@pytest.mark.parametrize(
    ("closed", "arguments", "sentence"),
    [("stdin", ["-"], "Standard input is closed"), ("stdout", [], "standard output: it is closed")],
)
def test_a_closed_stream_is_named(
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    closed: str,
    arguments: list[str],
    sentence: str,
) -> None:
    """As a job of cron may have it."""
    monkeypatch.setattr(sys, closed, None)
    with pytest.raises(CreditCtError, match=sentence):
        predict.command.main(arguments or [str(customers)], standalone_mode=False)
