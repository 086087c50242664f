"""Rows of customers are readable by one user only, whatever the umask is."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.contracts.files import (
    MERGED_ROWS_FILE,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SCALERS_FOLDER,
    SPLIT_FILES,
)
from credit_ct_dagster.operations.doctor import Examination
from credit_ct_dagster_tests.platform import BASE_DT, Platform


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """One that takes no right away, and one that takes all of others."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def _mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.usefixtures("umask")
def test_files_with_rows_are_private_and_others_are_not(platform: Platform) -> None:
    """Splits, archive and quarantine; a model and its scalers hold no row."""
    import pandas as pd

    rows = pd.DataFrame({"customer_id": ["c"]})
    artifacts = platform.artifacts
    private = [*SPLIT_FILES.values(), MERGED_ROWS_FILE, QUARANTINE_FILE]
    folder, _ = artifacts.write(PREPROCESSING_FOLDER, BASE_DT, dict.fromkeys(private, rows))
    scalers, _ = artifacts.write(SCALERS_FOLDER, BASE_DT, {"robust_scaler.json": {}})
    models, _ = artifacts.write(MODEL_FOLDER, BASE_DT, {"model_card.html": ""})
    assert _mode(Path(folder.path)) == "0o700"
    files = [path for path in Path(folder.path).iterdir() if path.is_file()]
    assert {_mode(path) for path in files} == {"0o600"}
    assert len(files) == len(private)
    assert _mode(Path(scalers.path) / "robust_scaler.json") == "0o644"
    assert _mode(Path(models.path) / "model_card.html") == "0o644"


@pytest.mark.usefixtures("umask")
def test_the_embedded_feature_store_is_private(tmp_path: Path, platform: Platform) -> None:
    """It holds names and social security numbers."""
    from credit_ct_dagster.resources.feature_store.store import FeatureStore

    FeatureStore(url=f"sqlite:///{tmp_path}/new/store.db").create_missing_tables()
    assert _mode(tmp_path / "new" / "store.db") == "0o600"


def test_the_doctor_names_files_that_others_can_read(platform: Platform) -> None:
    """As an earlier release wrote them, with the command that closes them."""
    examination = Examination(
        store=platform.store,
        studies=platform.studies,
        promotions=platform.promotions,
        instance=dg.DagsterInstance.ephemeral,
        instigators=[],
    )

    def found(examination: Examination) -> str:
        return next(
            each.message for each in examination.findings() if each.subject == "private files"
        )

    folder, _ = platform.artifacts.write(PREPROCESSING_FOLDER, BASE_DT, {"summary.json": {}})
    database = platform.store.database.file
    assert database is not None
    database.chmod(0o600)
    assert found(examination) == "rows of customers are readable by this user only"
    folder.chmod(0o755)
    assert found(examination) == "rows of customers are readable by this user only"
    (folder / "summary.json").chmod(0o644)
    database.chmod(0o640)
    assert f"in 2 files, such as {folder}/summary.json" in found(examination)
    assert f"chmod go= {folder}/*" in found(examination)
    assert found(examination).endswith("CT-FILES-9: docs/runbook.md#ct-files-9")
    folder.chmod(0o700)
    assert "in 1 files" in found(replace(examination))
