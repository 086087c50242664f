"""What an ML engineer does in the UI, in a real browser; `make e2e`.

Screenshots are saved in `build/e2e/`, for a person to look at.
"""

from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import (
    LINEAGE_FILE,
    MODEL_CARD_FILE,
    SCORES_FOLDER,
    SCORES_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.runs.purposes import CUSTOMER_SCORES, TRAINING_ASSETS
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.webserver import dagster_dev, until

pytestmark = pytest.mark.timeout(900)

_PAGE_MILLISECONDS = 60_000
_RUN_SECONDS = 180


def _materialize(page: Page, base_dt: str, screenshot: str) -> None:
    """Launch the job for one base date, as a person does."""
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    partitions = dialog.get_by_placeholder("ex: ")
    partitions.fill(base_dt)
    partitions.press("Enter")
    partitions.blur()
    save_screenshot(page, screenshot)
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
        save_screenshot(page, "1_lineage")

        page.goto(f"{root}/locations/credit_ct_dagster/jobs/continuous_training")
        _materialize(page, BASE_DT, "2_launch")
        until(lambda: LINEAGE_FILE in platform.models(), _RUN_SECONDS, "the run")

        page.goto(f"{root}/assets/champion_model?view=partitions&partition={BASE_DT}")
        expect(page.get_by_text("bentoml_tag", exact=True).first).to_be_visible()
        identity = platform.models().read(ModelIdentity)
        expect(page.get_by_text(identity.bentoml_tag).first).to_be_visible()
        save_screenshot(page, "3_metadata")
        page.goto(f"{root}/assets/tuned_runs?view=checks")
        expect(page.get_by_text(f"Base date {BASE_DT}: +").first).to_be_visible()
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
        save_screenshot(page, "4_checks")
        page.goto(f"{root}/runs")
        expect(page.get_by_text("Success").first).to_be_visible()
        save_screenshot(page, "5_runs")
        _score_customers(page, root, platform, identity)
    _check_card(page, Path(str(platform.models().path / MODEL_CARD_FILE)), identity)


def _score_customers(page: Page, root: str, platform: Platform, champion: ModelIdentity) -> None:
    """The customers of the base date are scored from the UI, which shows what came of it."""
    assert platform.models().read(DecisionRecord).decision.promoted  # the first one, by the gate
    page.goto(f"{root}/locations/credit_ct_dagster/jobs/{CUSTOMER_SCORES}")
    _materialize(page, BASE_DT, "5_launch_scores")
    scores = platform.artifacts.open(SCORES_FOLDER, BASE_DT)
    until(lambda: SCORES_SUMMARY_FILE in scores, _RUN_SECONDS, "the scores")
    summary = scores.read(CustomerScoresSummary)
    assert summary.model.bentoml_tag == champion.bentoml_tag
    page.goto(f"{root}/assets/customer_scores?view=partitions&partition={BASE_DT}")
    expect(page.get_by_text("not_most_probable", exact=True).first).to_be_visible()
    expect(page.get_by_text(champion.bentoml_tag).first).to_be_visible()
    save_screenshot(page, "5_scores")


def _check_card(page: Page, card: Path, identity: ModelIdentity) -> None:
    """The page names the model, in both colour schemes, and fits the width of a phone."""
    page.goto(card.as_uri())
    for name in identity.model_dump(exclude={"version"}).values():
        expect(page.get_by_text(name).first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save_screenshot(page, f"6_card_{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    save_screenshot(page, "7_card_phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
