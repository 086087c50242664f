"""The disk is full."""

import subprocess

import pytest

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import Start, report, run_again
from credit_ct_dagster_tests.platform import Platform


def test_full_in_the_artifacts(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """No incomplete file is visible, and once there is space again, the base date completes."""
    artifacts = disturbed.folder / "artifacts"
    artifacts.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(artifacts)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        attempt = start(disturbed)
        assert attempt.exit_code() == 1, attempt.output
        assert "No space left on device" in attempt.last_line
        assert [path.name for path in artifacts.rglob("*.tmp")] == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(artifacts)], check=True)
        seconds = run_again(start, disturbed)
        check_same_results(disturbed, undisturbed)
    finally:
        subprocess.run(["umount", str(artifacts)], check=True)
    report("disk full in the artifacts (128 KiB)", f"failed: {attempt.last_line[:200]} …",
           "the same command again", seconds)  # fmt: skip
