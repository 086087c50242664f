"""The process of a run is killed at random moments, interrupted, or started twice."""

import random
import shutil
import signal
import subprocess
import time

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import Start, report, run_again
from credit_ct_dagster_tests.platform import Platform

_RANDOM_KILLS = 20
_TWO_AT_ONCE = 10
_FIRST_AT_ONCE = 5


def test_killed_at_random_moments(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """Each attempt continues from the state that the killed one left."""
    started = time.perf_counter()
    rng, length = random.Random(0), run_again(start, disturbed)
    killed = 0
    while killed < _RANDOM_KILLS:
        attempt = start(disturbed)
        try:
            attempt.process.wait(timeout=rng.uniform(0, length))
        except subprocess.TimeoutExpired:
            attempt.kill()
            killed += 1
        else:
            length = attempt.seconds
    seconds = run_again(start, disturbed)
    check_same_results(disturbed, undisturbed)
    report(f"`kill -9` at {killed} random moments", f"{time.perf_counter() - started:.0f} s in all",
           "the same command again", seconds)  # fmt: skip


def test_interrupted(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """Ctrl-C ends a run; it is not retried like an outage."""
    attempt = start(disturbed)
    attempt.until_printed("1/4 done")
    interrupted = time.perf_counter()
    attempt.process.send_signal(signal.SIGINT)
    assert attempt.process.wait(30) != 0
    seconds = time.perf_counter() - interrupted
    assert "3/4 done" not in attempt.output
    recovery = run_again(start, disturbed)
    check_same_results(disturbed, undisturbed)
    report("Ctrl-C during the search", f"ended after {seconds:.0f} s", "the same command again",
           recovery)  # fmt: skip


def test_two_runs_of_one_base_date_at_once(
    disturbed: Platform, undisturbed: Platform, start: Start
) -> None:
    """They take turns; both succeed, and the second reuses the first one's trials."""
    for _ in range(_TWO_AT_ONCE):
        both = [start(disturbed), start(disturbed)]
        assert [each.exit_code() for each in both] == [0, 0], [each.output for each in both]
    check_same_results(disturbed, undisturbed)
    report(
        f"two runs of one base date at once, {_TWO_AT_ONCE} times",
        "all succeeded, one after the other",
    )


def test_the_first_commands_of_a_folder_at_once(platform: Platform, start: Start) -> None:
    """One of them creates Dagster's databases; the next command finds them complete."""
    history = platform.folder / "var" / "dagster"
    for _ in range(_FIRST_AT_ONCE):
        assert not history.exists()
        for at_once in (3, 1):
            commands = [start(platform, "credit-ct", "status") for _ in range(at_once)]
            assert [each.exit_code() for each in commands] == [0] * at_once
        shutil.rmtree(history)
    report(f"three commands at once, the first in their folder, {_FIRST_AT_ONCE} times",
           "one created Dagster's databases, the others waited")  # fmt: skip
