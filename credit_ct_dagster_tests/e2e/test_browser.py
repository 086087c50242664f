"""What an ML engineer does in the UI, in a real browser; `make e2e`.

Screenshots are saved in `build/e2e/`, for a person to look at.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from credit_ct_dagster.automation.jobs import TRAINING_ASSETS
from credit_ct_dagster.contracts.files import LINEAGE_FILE, MODEL_CARD_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY, Platform
from credit_ct_dagster_tests.webserver import dagster_dev, until

pytestmark = pytest.mark.timeout(900)

_PAGE_MILLISECONDS = 60_000
_RUN_SECONDS = 180
_SCREENSHOTS = REPOSITORY / "build" / "e2e"


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped without it, which fails under CI=true."""
    program = shutil.which("chromium")
    if program is None:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


def _save_screenshot(page: Page, name: str) -> None:
    _SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_SCREENSHOTS / f"{name}.png", full_page=True)


def _materialize(page: Page, base_dt: str) -> None:
    """Launch the job for one base date, as a person does."""
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    partitions = dialog.get_by_placeholder("ex: ")
    partitions.fill(base_dt)
    partitions.press("Enter")
    partitions.blur()
    _save_screenshot(page, "2_launch")
    dialog.get_by_role("button", name="Launch 1 run").click()
    expect(dialog).to_have_count(0)


def test_a_base_date_is_trained_from_the_ui(platform: Platform, browser: Browser) -> None:
    """Lineage, launch, metadata, checks, and the model card, light and dark."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(_PAGE_MILLISECONDS)
    expect.set_options(timeout=_PAGE_MILLISECONDS)
    with dagster_dev(platform) as port:
        root = f"http://127.0.0.1:{port}"
        until(lambda: urlopen(f"{root}/server_info").status == 200, 90, "the UI's start")
        page.goto(f"{root}/assets/tuned_runs?view=lineage&lineageScope=upstream&lineageDepth=9")
        for asset in ("credit_score_features", *TRAINING_ASSETS[:2]):
            expect(page.get_by_text(asset, exact=True).first).to_be_visible()
        _save_screenshot(page, "1_lineage")

        page.goto(f"{root}/locations/credit_ct_dagster/jobs/continuous_training")
        _materialize(page, BASE_DT)
        until(lambda: LINEAGE_FILE in platform.models(), _RUN_SECONDS, "the run")

        page.goto(f"{root}/assets/champion_model?view=partitions&partition={BASE_DT}")
        expect(page.get_by_text("bentoml_tag", exact=True).first).to_be_visible()
        identity = platform.models().read(ModelIdentity)
        expect(page.get_by_text(identity.bentoml_tag).first).to_be_visible()
        _save_screenshot(page, "3_metadata")
        page.goto(f"{root}/assets/tuned_runs?view=checks")
        expect(page.get_by_text(f"Base date {BASE_DT}: +").first).to_be_visible()
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
        _save_screenshot(page, "4_checks")
        page.goto(f"{root}/runs")
        expect(page.get_by_text("Success").first).to_be_visible()
        _save_screenshot(page, "5_runs")
    _check_card(page, Path(str(platform.models().path / MODEL_CARD_FILE)), identity)


def _check_card(page: Page, card: Path, identity: ModelIdentity) -> None:
    """The page names the model, in both colour schemes, and fits the width of a phone."""
    page.goto(card.as_uri())
    for name in identity.model_dump(exclude={"version"}).values():
        expect(page.get_by_text(name).first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _save_screenshot(page, f"6_card_{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    _save_screenshot(page, "7_card_phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
