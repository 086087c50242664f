"""What a person sees in the UI at night, after a run that failed; in a real browser."""

import re
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.webserver import dagster_dev, graphql, until

pytestmark = pytest.mark.timeout(600)

_EMPTY = "2025-12-01"
"""A base date whose window has no label."""
_PAGE_MILLISECONDS = 60_000
_RUN_SECONDS = 120
_RUNS = """
query Runs { runsOrError { ... on Runs { results { runId status assetCheckSelection { name } } } } }
"""


def _ended(port: int, runs: int) -> list[dict[str, object]]:
    """The runs, newest first, once there are so many and all have ended."""

    def ended() -> list[dict[str, object]]:
        found: list[dict[str, object]] = graphql(port, _RUNS)["results"]
        over = all(each["status"] in ("SUCCESS", "FAILURE") for each in found)
        return found if over and len(found) == runs else []

    result: list[dict[str, object]] = until(ended, _RUN_SECONDS, f"the end of {runs} runs")
    return result


def test_a_failed_run_of_a_command_is_found_understood_and_cleared(
    platform: Platform, browser: Browser
) -> None:
    """It is where the location's runs are; it says why; it runs again; its red can be removed."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(_PAGE_MILLISECONDS)
    expect.set_options(timeout=_PAGE_MILLISECONDS)
    with dagster_dev(platform) as port:
        root = f"http://127.0.0.1:{port}"
        until(lambda: urlopen(f"{root}/server_info").status == 200, 90, "the UI's start")
        failed = platform.run("credit-ct", "run", "--partition", _EMPTY)
        assert failed.returncode == 1, failed.stderr
        [run_id] = re.findall(r"Dagster run (\S+) failed", failed.stderr)
        _is_a_run_of_the_location(page, root)
        _says_why_it_failed(page, root, run_id)
        page.get_by_role("button", name="Re-execute all").click()
        again, first = _ended(port, runs=2)
        assert (first["runId"], again["status"]) == (run_id, "FAILURE")

        _has_failed_partitions(page, root, failed=True)
        cleared = platform.run("credit-ct", "prune", "--failed-runs-of", _EMPTY, "--yes")
        assert cleared.stdout == (
            f"Failed or cancelled runs of base date {_EMPTY}: 2. They are deleted.\n"
        )
        _has_failed_partitions(page, root, failed=False)
        _checks_are_not_executed_without_a_base_date(page, root, port)


def _is_a_run_of_the_location(page: Page, root: str) -> None:
    """The timeline has it, and the Jobs page a square beside when it was."""
    page.goto(f"{root}/overview/timeline?groupBy=job")
    expect(page.get_by_role("link", name="continuous_training")).to_be_visible()
    save_screenshot(page, "13_timeline")
    page.goto(f"{root}/jobs")
    expect(page.get_by_role("button", name=re.compile("ago$"))).to_have_count(1)
    save_screenshot(page, "13_jobs")


def _says_why_it_failed(page: Page, root: str, run_id: str) -> None:
    """As the page opens: sentence, way out, code and runbook; no stack trace."""
    page.goto(f"{root}/runs/{run_id}")
    sentence = page.get_by_text("to 2025-12-01 never had rows").last
    expect(sentence).to_be_in_viewport()
    expect(sentence).to_contain_text(f"credit-ct prune --failed-runs-of {_EMPTY} --yes")
    expect(sentence).to_contain_text("See CT-ROWS-1: docs/runbook.md#ct-rows-1")
    expect(page.get_by_text("Stack Trace")).to_have_count(0)
    save_screenshot(page, "14_failed_run")


def _has_failed_partitions(page: Page, root: str, failed: bool) -> None:
    """Whether the lineage shows them; none is shown as filled, for there were no rows."""
    page.goto(f"{root}/assets/features_target?view=lineage")
    shown = "0% filled (1 failed)" if failed else "0% filled"
    expect(page.get_by_text(shown, exact=True)).to_have_count(3)
    save_screenshot(page, f"15_lineage_{'red' if failed else 'cleared'}")


def _checks_are_not_executed_without_a_base_date(page: Page, root: str, port: int) -> None:
    """Dagster offers it for all checks of an asset, not for one; none turns red."""
    page.goto(f"{root}/assets/features_target?view=checks")
    page.get_by_role("button", name="Execute all").click()
    [run] = _ended(port, runs=1)
    assert run["assetCheckSelection"]
    assert run["status"] == "SUCCESS"
    page.reload()
    expect(page.get_by_role("button", name="execute Execute", exact=True)).to_be_disabled()
    expect(page.get_by_text("Skipped", exact=True).first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True)).to_have_count(0)
    save_screenshot(page, "16_checks")
