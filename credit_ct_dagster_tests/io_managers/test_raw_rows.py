"""Which holdouts are pooled, and which are passed over."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from credit_ct_dagster.contracts.files import (
    MERGED_ROWS_FILE,
    PREPROCESSING_FOLDER,
    SPLIT_FILES,
    SPLITS_SUMMARY_FILE,
)
from credit_ct_dagster.errors.stores import DamagedFileError, MixedArtifactsError
from credit_ct_dagster.io_managers import places
from credit_ct_dagster.io_managers import raw_rows as raw_rows_module
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_holdouts, raw_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import pooled_holdout
from credit_ct_dagster_tests.stored_splits import rows_of, store_splits

_NEWEST = "2025-03-10"
_HOLDOUT = SPLIT_FILES["holdout"].format(model_name="m")


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactsIOManager:
    """Artifacts with the splits of the newest base date."""
    made = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    store_splits(made, _NEWEST)
    return made


def _file(artifacts: ArtifactsIOManager, base_dt: str, name: str) -> Path:
    return Path(str(artifacts.open(PREPROCESSING_FOLDER, base_dt).path / name))


def _pooled(artifacts: ArtifactsIOManager, windows: int = 3) -> list[str]:
    return list(raw_holdouts(artifacts, _NEWEST, windows))


def test_windows_that_do_not_overlap_are_pooled(artifacts: ArtifactsIOManager) -> None:
    """The newest that ended before the one before began; what is no base date does not count."""
    days = ["2024-12-30", "2025-01-07", "2025-01-08", "2025-01-09", "2025-02-09", "2025-02-10"]
    for day in (*days, "0", "2025-01-08.bak"):
        store_splits(artifacts, day, rows_of(day[:10], [1]))
    assert _pooled(artifacts) == [_NEWEST, "2025-02-09", "2025-01-08"]
    assert _pooled(artifacts, 1) == [_NEWEST]
    assert _pooled(artifacts, 12) == [_NEWEST, "2025-02-09", "2025-01-08"]


def test_without_earlier_base_dates_a_base_date_is_judged_by_itself(
    artifacts: ArtifactsIOManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Fewer windows than are wanted are no failure, and nothing to warn of."""
    assert _pooled(artifacts) == [_NEWEST]
    assert caplog.records == []


def _delete(*names: str) -> Callable[[ArtifactsIOManager], None]:
    def change(artifacts: ArtifactsIOManager) -> None:
        for name in names:
            _file(artifacts, "2025-02-09", name).unlink()

    return change


def _overwrite(name: str, content: bytes) -> Callable[[ArtifactsIOManager], None]:
    def change(artifacts: ArtifactsIOManager) -> None:
        _file(artifacts, "2025-02-09", name).write_bytes(content)

    return change


def _mix(artifacts: ArtifactsIOManager) -> None:
    summary = _file(artifacts, "2025-02-09", SPLITS_SUMMARY_FILE).read_bytes()
    store_splits(artifacts, "2025-02-09", rows_of("2025-02-09", [7, 8]))
    _overwrite(SPLITS_SUMMARY_FILE, summary)(artifacts)


def _mix_the_archive(artifacts: ArtifactsIOManager) -> None:
    rows = rows_of("2025-02-09", [7, 8])
    artifacts.write(PREPROCESSING_FOLDER, "2025-02-09", {MERGED_ROWS_FILE: rows})


def _lack_a_feature(artifacts: ArtifactsIOManager) -> None:
    rows = rows_of("2025-02-09", [1, 2]).drop(columns="age")
    store_splits(artifacts, "2025-02-09", rows)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_delete(_HOLDOUT), f"{_HOLDOUT} does not exist"),
        (_delete(SPLITS_SUMMARY_FILE), "summary.json does not exist"),
        (_delete(MERGED_ROWS_FILE, "encoders/robust_scaler.json"), "robust_scaler.json does not"),
        (_overwrite(_HOLDOUT, b"PAR1"), "is damaged (4 bytes"),
        (_overwrite(MERGED_ROWS_FILE, b""), "is damaged (0 bytes"),
        (_overwrite(SPLITS_SUMMARY_FILE, b"{"), "summary.json"),
        (_overwrite(SPLITS_SUMMARY_FILE, b'{"version": 99}'), "summary.json"),
        (_mix, "do not match the fingerprint"),
        (_mix_the_archive, "do not match the fingerprint"),
        (_lack_a_feature, "have no age, which this release trains on"),
    ],
)
def test_a_base_date_that_is_not_whole_is_passed_over(
    artifacts: ArtifactsIOManager,
    damage: Callable[[ArtifactsIOManager], None],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An older one takes its place, and the log says which and why."""
    for day in ("2025-02-09", "2025-02-05", "2025-01-04"):
        store_splits(artifacts, day)
    assert _pooled(artifacts) == [_NEWEST, "2025-02-09", "2025-01-04"]
    damage(artifacts)
    assert _pooled(artifacts) == [_NEWEST, "2025-02-05", "2025-01-04"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "of 1 earlier base date cannot judge" in record.message
    assert f"{_NEWEST}; older ones" in record.message
    assert "2025-02-09: " in record.message
    assert reason in record.message


def test_many_that_are_passed_over_are_summed_up(
    artifacts: ArtifactsIOManager, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a release with a new feature: one warning, and no table is read."""
    for day in range(1, 9):
        store_splits(
            artifacts, f"2025-02-0{day}", rows_of("2025-02-01", [1]).drop(columns="occupation")
        )
        _overwrite_holdout = _file(artifacts, f"2025-02-0{day}", _HOLDOUT)
        _overwrite_holdout.write_bytes(b"not read")
    assert _pooled(artifacts) == [_NEWEST]
    [record] = caplog.records
    assert "8 earlier base dates" in record.message
    assert record.message.count("have no occupation") == 3
    assert record.message.endswith("And 5 more.")


def test_the_base_date_itself_is_never_passed_over(artifacts: ArtifactsIOManager) -> None:
    """Without its own holdout, nothing is decided."""
    _file(artifacts, _NEWEST, _HOLDOUT).write_bytes(b"PAR1")
    with pytest.raises(DamagedFileError):
        raw_holdouts(artifacts, _NEWEST, 3)


def test_only_files_of_those_that_are_pooled_are_read(
    artifacts: ArtifactsIOManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many base dates there are."""
    for day in range(1, 29):
        store_splits(artifacts, f"2025-02-{day:02}", rows_of("2025-02-01", [day]))
    read: list[str] = []
    content_of = places.content_of

    def noted(path: UPath) -> bytes:
        read.append(path.parent.name)
        return content_of(path)

    monkeypatch.setattr(places, "content_of", noted)
    assert _pooled(artifacts) == [_NEWEST, "2025-02-09"]
    assert set(read) == {_NEWEST, "2025-02-09"}


def test_a_customers_month_counts_once(artifacts: ArtifactsIOManager) -> None:
    """Also when its label was dated anew, so that two windows have it: the newer one is taken."""
    old, new = rows_of("2025-02-09", [1, 2]), rows_of(_NEWEST, [2, 3])
    new.loc[0, "id"] = old.loc[1, "id"]
    new.loc[0, "age"] = 99.0
    store_splits(artifacts, "2025-02-09", old)
    store_splits(artifacts, _NEWEST, new)
    holdouts = raw_holdouts(artifacts, _NEWEST, 3)
    pooled = pooled_holdout(list(holdouts.values()), [0.0])
    assert sorted(pooled[schema.CUSTOMER]) == ["C1", "C2", "C3"]
    assert pooled.set_index(schema.CUSTOMER)["age"]["C2"] == 99


@pytest.mark.parametrize("archive", [True, False])
def test_rows_are_raw_with_and_without_the_archive(
    artifacts: ArtifactsIOManager, archive: bool
) -> None:
    """Scaled back where the merged rows were not archived."""
    rows = rows_of("2025-02-09", [4, 5, 6])
    store_splits(artifacts, "2025-02-09", rows, archive=archive)
    pd.testing.assert_frame_equal(
        raw_holdouts(artifacts, _NEWEST, 2)["2025-02-09"], rows, check_dtype=False
    )


def test_a_split_that_was_replaced_is_refused(artifacts: ArtifactsIOManager) -> None:
    """Whoever reads raw rows, as a calibration on another base date does, gets the split's own."""
    other = "2025-02-09"
    store_splits(artifacts, other, rows_of(other, [4, 5, 6]))
    content = _file(artifacts, other, _HOLDOUT).read_bytes()
    _file(artifacts, _NEWEST, _HOLDOUT).write_bytes(content)
    with pytest.raises(MixedArtifactsError, match=f"holdout rows in .*{_NEWEST}"):
        raw_rows(artifacts, _NEWEST, "holdout")


def test_prepared_rows_that_were_never_merged_are_refused(artifacts: ArtifactsIOManager) -> None:
    """An archive that another run replaced, summary and all, has no raw rows for them."""
    store_splits(artifacts, "2025-02-09", rows_of("2025-02-09", [1, 2]))
    prepared = {"holdout": rows_of("2025-02-09", [1, 9])}
    with pytest.raises(MixedArtifactsError, match="not among the merged rows"):
        raw_rows_module._raw(artifacts, "2025-02-09", prepared)
