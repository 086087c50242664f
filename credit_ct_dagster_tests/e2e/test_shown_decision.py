"""What the UI says of a model after a person has decided, in a real browser."""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from urllib.request import urlopen

import dagster as dg
import pytest
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.operations.shown_decisions import ShownDecisions
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster_tests.decisions.decisions_in_memory import DecisionsInMemory
from credit_ct_dagster_tests.e2e.champion_location import FIRST, SECOND, champion_model
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.webserver import dagster_dev, until

pytestmark = pytest.mark.timeout(300)

_SAID = "Promoted by Kim: the complaints are about the old one"


@pytest.fixture
def decided(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both base dates were materialized, and then a person promoted the second model."""
    monkeypatch.chdir(platform.folder)
    made = DecisionsInMemory()
    with configured_instance() as instance:
        for base_dt in (FIRST, SECOND):
            result = dg.materialize([champion_model], instance=instance, partition_key=base_dt)
            assert result.success
        made.add(FIRST, Ground.first, promoted=True)
        made.add(SECOND, Ground.insufficient_evidence)
        made.add(SECOND, Ground.person, promoted=True, by="Kim", sentence=_SAID)
        promotions = SimpleNamespace(
            records=lambda: made.records, artifacts=platform.artifacts, tracking=platform.tracking
        )
        ui, observe = platform.wiring.dagster_ui, instance.report_runless_asset_event
        ShownDecisions(cast("Any", promotions), ui, observe).show(made.records[-1:])


def test_the_ui_says_at_once_what_a_person_decided(
    platform: Platform, decided: None, browser: Browser
) -> None:
    """On both base dates, in the place of what the gate said; the evidence beside it stays."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    module = "credit_ct_dagster_tests.e2e.champion_location"
    with dagster_dev(platform, module, PYTHONPATH=str(REPOSITORY)) as port:
        root = f"http://127.0.0.1:{port}"
        until(lambda: urlopen(f"{root}/server_info").status == 200, 90, "the UI's start")
        expect.set_options(timeout=60_000)
        for base_dt, promoted, said in (
            (SECOND, "true", _SAID),
            (FIRST, "false", f"The model of base date {SECOND} (decision 3) took its place."),
        ):
            shown = f"{root}/assets/champion_model?view=partitions&partition={base_dt}"
            rows = (f"promoted {promoted}", f"decision {said}", "golden_rows 52 of 52")
            until(partial(_has, page, shown, rows), 120, "the page of a partition")
            save_screenshot(page, f"14_decision_{promoted}")


def _has(page: Page, address: str, rows: Sequence[str]) -> bool:
    """Whether a page has these rows; one that is opened before the assets are loaded has none."""
    page.goto(address)
    try:
        for row in rows:
            expect(page.get_by_role("row", name=row)).to_be_visible(timeout=20_000)
    except AssertionError:
        return False
    return True
