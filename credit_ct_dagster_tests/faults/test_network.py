"""The network to MariaDB is torn in the middle of what the run and the server say."""

import random
import time

import sqlalchemy as sa
import yaml

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import SEARCH, Start, report, run_again
from credit_ct_dagster_tests.network import Proxy
from credit_ct_dagster_tests.platform import Platform

_TIMES, _DOWN_SECONDS = 10, 2.0


def test_torn_at_random_bytes(
    disturbed_on_mariadb: Platform, undisturbed_on_mariadb: Platform, start: Start
) -> None:
    """Feature store, locks and search all use it; what fails, fails with a sentence."""
    platform = disturbed_on_mariadb
    afresh = {"ops": {"tuned_runs": {"config": SEARCH | {"resume": False}}}}
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(afresh))
    direct = sa.make_url(platform.url)
    assert direct.port is not None
    with Proxy.running(direct.port) as proxy:
        through = direct.set(port=proxy.port).render_as_string(hide_password=False)
        there = {"FEATURE_STORE_URL": through, "OPTUNA_STORAGE_URL": through}
        run_again(start, platform, **there)
        before = proxy.carried
        run_again(start, platform, **there)
        length = int(0.8 * (proxy.carried - before))  # another run may ask less often
        rng, failures = random.Random(1), []
        began = time.perf_counter()
        for _ in range(_TIMES):
            proxy.tear(rng.randrange(length), _DOWN_SECONDS)
            attempt = start(platform, **there)
            if attempt.ended():
                assert attempt.last_line.startswith("Error: "), attempt.said
                assert "Traceback" not in attempt.last_line, attempt.said
                failures.append(attempt.last_line)
        took = time.perf_counter() - began
        assert proxy.torn == _TIMES
        back = run_again(start, platform, **there)
    check_same_results(platform, undisturbed_on_mariadb)
    told = f", such as: {failures[0][:160]} …" if failures else ""
    report(
        f"network to MariaDB torn for {_DOWN_SECONDS:.0f} s after a random byte of"
        f" {length:,}, {_TIMES} runs",
        f"all {proxy.torn} were hit: {_TIMES - len(failures)} ended well by themselves,"
        f" {len(failures)} failed with a sentence{told}; {took:.0f} s",
        "the same command again", back,
    )  # fmt: skip
