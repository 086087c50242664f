"""What Dagster's pages show of a model without another server, in a real browser."""

from typing import Any
from urllib.request import urlopen

import dagster as dg
import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from credit_ct_dagster.assets.tuned_runs import shown_pictures
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE
from credit_ct_dagster.metadata.tables import compared_row, table_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.plots import (
    confusion_matrix_svg,
    importances_svg,
    search_svg,
)
from credit_ct_dagster.resources.stored_pages import stored_pages
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster_tests.decisions.decided import COMPARISON
from credit_ct_dagster_tests.e2e.linked_location import BASE_DT
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.modeling.pages import cards
from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.webserver import dagster_dev, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def searched(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search and a model card, as their assets report them."""
    monkeypatch.chdir(platform.folder)
    ui = platform.wiring.dagster_ui
    pictures = {
        "confusion_matrix.svg": confusion_matrix_svg(np.diag([10, 20, 30]), "Holdout"),
        "feature_importances.svg": importances_svg(dict.fromkeys(schema.FEATURES, 4.0)),
        "search.svg": search_svg([], {0: [0.5, 0.4]}, "MultiClassOneVsAll"),
    }
    probabilities = compared_row(COMPARISON) | {"metric": "calibrated log-loss"}
    card = {"model_card": dg.MetadataValue.url(ui.card_path(BASE_DT))}
    pages = {MODEL_CARD_FILE: cards.card().html()}
    metadata: dict[str, dict[str, Any]] = {
        "tuned_runs": card
        | shown_pictures(ui, BASE_DT, pictures)
        | {"comparison": table_of([compared_row(COMPARISON), probabilities])}
        | {"mlflow_links_answer_after": "make mlflow"}
        | stored_pages(platform.model_name, pictures),
        "model_card": card | stored_pages(platform.model_name, pages),
    }
    with configured_instance() as instance:
        for asset, shown in metadata.items():
            made = dg.AssetMaterialization(asset, partition=BASE_DT, metadata=shown)
            instance.report_runless_asset_event(made)


def test_pictures_are_seen_without_a_click_and_the_card_with_one(
    platform: Platform, searched: None, browser: Browser
) -> None:
    """From the same server, by the name that it was called by; on a laptop nothing is cut off."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    module = "credit_ct_dagster_tests.e2e.linked_location"
    with dagster_dev(platform, module, PYTHONPATH=str(REPOSITORY)) as port:
        root = f"http://127.0.0.1:{port}"
        until(lambda: urlopen(f"{root}/server_info").status == 200, 90, "the UI's start")
        expect.set_options(timeout=60_000)
        page.goto(f"{root}/assets/tuned_runs?view=partitions&partition={BASE_DT}")
        for name in ("search", "confusion_matrix", "feature_importances"):
            picture = page.locator(f'img[src^="/search-pictures/{BASE_DT}/{name}.svg"]')
            expect(picture).to_be_visible()
            expect(picture).not_to_have_js_property("naturalWidth", 0)
            picture.scroll_into_view_if_needed()
            expect(picture).to_be_in_viewport(ratio=0.999)
        interval = page.get_by_role("cell", name="+0.0500 to +0.1500").first
        for cell in (interval, page.get_by_role("columnheader", name="rows")):
            cell.scroll_into_view_if_needed()
            expect(cell).to_be_in_viewport(ratio=0.999)
        expect(page.get_by_text("[Show Markdown]")).to_have_count(0)
        save_screenshot(page, "3_search")
        with page.expect_popup() as opened:
            page.get_by_role("link", name=f"/model-card/{BASE_DT}").first.click()
        card = opened.value
        expect(card.get_by_role("heading", name="Model card, base date")).to_be_visible()
        assert card.url.startswith(f"{root}/model-card/{BASE_DT}")
        save_screenshot(card, "3_linked_card")
