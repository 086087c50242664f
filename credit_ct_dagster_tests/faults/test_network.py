"""The network to MariaDB is interrupted inside a request or an answer."""

import random
import time

import sqlalchemy as sa
import yaml

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import SEARCH, Start, report, run_again
from credit_ct_dagster_tests.network import Proxy
from credit_ct_dagster_tests.platform import Platform

_RUNS, _DOWN_SECONDS = 10, 2.0


def test_interrupted_at_random_bytes(
    disturbed_on_mariadb: Platform, undisturbed_on_mariadb: Platform, start: Start
) -> None:
    """Feature store, locks and search use it; a run that fails, fails with an error of ours."""
    platform = disturbed_on_mariadb
    config = {"ops": {"tuned_runs": {"config": SEARCH | {"resume": False}}}}
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(config))
    direct = sa.make_url(platform.url)
    assert direct.port is not None
    with Proxy.running(direct.port) as proxy:
        through = direct.set(port=proxy.port).render_as_string(hide_password=False)
        urls = {"FEATURE_STORE_URL": through, "OPTUNA_STORAGE_URL": through}
        run_again(start, platform, **urls)
        before = proxy.carried
        run_again(start, platform, **urls)
        length = int(0.8 * (proxy.carried - before))  # another run may send less
        rng, failures = random.Random(1), []
        started = time.perf_counter()
        for _ in range(_RUNS):
            proxy.tear(rng.randrange(length), _DOWN_SECONDS)
            attempt = start(platform, **urls)
            if attempt.exit_code():
                assert attempt.last_line.startswith("Error: "), attempt.output
                assert "Traceback" not in attempt.last_line, attempt.output
                failures.append(attempt.last_line)
        seconds = time.perf_counter() - started
        assert proxy.torn == _RUNS
        recovery = run_again(start, platform, **urls)
    check_same_results(platform, undisturbed_on_mariadb)
    example = f", such as: {failures[0][:160]} …" if failures else ""
    report(
        f"network to MariaDB interrupted for {_DOWN_SECONDS:.0f} s after a random byte of"
        f" {length:,}, {_RUNS} runs",
        f"all {proxy.torn} were affected: {_RUNS - len(failures)} succeeded,"
        f" {len(failures)} failed{example}; {seconds:.0f} s",
        "the same command again", recovery,
    )  # fmt: skip
