"""In which order the workers of pytest take test files, and which files one worker takes."""

from pathlib import PurePath

from xdist.scheduler import LoadFileScheduling

LONGEST = [
    "test_champion_evidence", "test_champion", "test_package_validation", "test_warm_runs",
    "test_meeting_runs", "test_chain", "test_expiry", "test_validation", "test_deleted_versions",
    "test_prune", "test_supervisor", "test_scoring", "test_own_data", "test_champion_probation",
    "test_tuned_runs", "test_bentoml_model", "test_recalibration", "test_dask", "test_arrivals",
    "test_object_store", "test_checks", "test_row_distribution", "test_serving_skew",
    "test_plain_blocks", "test_late_data", "test_types", "test_rows_to_score", "test_guard",
]  # fmt: skip
"""Files that take longest: begun first, so that all workers end together."""

_WITH_PROCESSES = {"test_dask", "test_scoring", "test_tracking", "test_study_storage"}
"""Whoever first starts one of `processes` waits until it has imported everything: seven seconds."""


class ByFile(LoadFileScheduling):
    """Tests of a file are on one worker; so are those of all files that start processes."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "with processes" if PurePath(file).stem in _WITH_PROCESSES else file
