"""What base dates must look like in the end, whatever happened on the way."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import yaml
from mlflow.entities import Run, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import TrialState

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, SPLIT_FILES, TRIALS_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.partitions import last_expired
from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.tracking import BASE_DATE_TAG
from credit_ct_dagster_tests.platform import BASE_DT, Platform

_OF_THIS_ATTEMPT = ["trial", "seconds", "tracking_seconds", "run_id"]


def packages_of(platform: Platform) -> list[Path]:
    """The folders of all packages in the platform's own store."""
    folder = platform.folder / "var" / "bentoml" / "models" / platform.model_name
    return [path for path in folder.iterdir() if path.is_dir()]


def _runs(platform: Platform) -> list[Run]:
    tracking = platform.tracking
    experiments = [tracking.experiment_id()]
    return list(
        all_pages(
            lambda token: tracking.client.search_runs(
                experiments, run_view_type=ViewType.ALL, page_token=token
            )
        )
    )


def _trials(platform: Platform, base_dt: str) -> pd.DataFrame:
    """What was tried and found; in which order, is not part of the result."""
    table = platform.models(base_dt)[TRIALS_FILE].drop(columns=_OF_THIS_ATTEMPT)
    return table.sort_values(list(table.columns)).reset_index(drop=True)


def _check_same_base_date(platform: Platform, undisturbed: Platform, base_dt: str) -> None:
    splits, expected = platform.splits(base_dt), undisturbed.splits(base_dt)
    assert splits.read(SplitsSummary) == expected.read(SplitsSummary)
    for file in SPLIT_FILES.values():
        assert splits[file].equals(expected[file])
    summary, other = (each.search_summary(base_dt) for each in (platform, undisturbed))
    for part in ("best", "rows", "trials", "fingerprints", "scalers_fingerprint"):
        assert getattr(summary, part) == getattr(other, part), (base_dt, part)
    pd.testing.assert_frame_equal(_trials(platform, base_dt), _trials(undisturbed, base_dt))


def _check_rows(platform: Platform, base_dts: Collection[str]) -> None:
    """Rows that are there are those that were trained on; what retention keeps is there.

    Older ones stay until the next merge of a newer base date, so they depend on the order.
    """
    there = platform.store.row_counts()
    expired = last_expired(max(base_dts), platform.store.retention_days) or ""
    assert {base_dt for base_dt in base_dts if base_dt > expired} <= set(there) <= set(base_dts)
    for base_dt in there:
        trained_on = platform.splits_summary(base_dt).data_fingerprint
        assert data_fingerprint(platform.store.read(base_dt)) == trained_on, base_dt


def check_same_results(
    platform: Platform, undisturbed: Platform, base_dts: Collection[str] = (BASE_DT,)
) -> None:
    """Rows, splits, trials and winners of a platform that nobody disturbed, nothing left over."""
    _check_rows(platform, base_dts)
    for base_dt in base_dts:
        _check_same_base_date(platform, undisturbed, base_dt)
    assert list(platform.folder.rglob("*.tmp")) == []
    assert "RUNNING" not in {run.info.status for run in _runs(platform)}


def check_same_end_state(
    platform: Platform, undisturbed: Platform, instance: dg.DagsterInstance
) -> None:
    """Compare with a platform on the same rows that nobody killed."""
    assert undisturbed.materialize(instance).success
    check_same_results(platform, undisturbed)
    assert len(packages_of(platform)) == 1
    runs = _runs(platform)
    struck_out = [run for run in runs if run.info.status == "KILLED"]
    assert {run.info.status for run in runs} - {"KILLED"} == {"FINISHED", "FAILED"}
    assert {run.data.tags["credit_ct.reason"] for run in struck_out} <= {
        "Killed before the search knew of it"
    }
    assert sum(run.info.status == "FINISHED" for run in runs) >= 3


def check_all_served(
    platform: Platform, undisturbed: Platform, base_dts: Collection[str], trials: int
) -> None:
    """Every base date has its trials once, the package of an undisturbed one, and a decision.

    Which decision is a matter of the champion at that moment, and so of the order.
    """
    finished = Counter(
        run.data.tags[BASE_DATE_TAG]
        for run in _runs(platform)
        if MLFLOW_PARENT_RUN_ID in run.data.tags and run.info.status == "FINISHED"
    )
    assert finished == dict.fromkeys(base_dts, trials)
    studies = platform.studies.names(platform.model_name)
    assert {base_dt: len(names) for base_dt, names in studies.items()} == dict.fromkeys(base_dts, 1)
    for [name] in studies.values():
        states = [trial.state for trial in platform.studies.join(name).get_trials(deepcopy=False)]
        assert states == [TrialState.COMPLETE] * trials, name

    expected = {
        each.identity.base_dt: _description(each.folder)["metadata"]
        for each in undisturbed.packages.packaged()
    }
    packaged: dict[str, set[str]] = {}
    for folder in packages_of(platform):
        package = _description(folder)
        base_dt = package["labels"]["base_dt"]
        assert package["metadata"] == expected[base_dt], base_dt
        packaged.setdefault(base_dt, set()).add(f"{platform.model_name}:{folder.name}")
    assert set(packaged) == set(base_dts)
    for base_dt in base_dts:
        models = platform.models(base_dt)
        assert models.read(DecisionRecord).model.bentoml_tag in packaged[base_dt]
        assert models.read(ModelIdentity).bentoml_tag in packaged[base_dt]
        assert MODEL_CARD_FILE in models
    records = platform.promotions.records()
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    assert {record.model.base_dt for record in records} == set(base_dts)


def _description(folder: Path) -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load((folder / "model.yaml").read_text())
    return described
