"""The page on the champion's health in a real browser: on a screen, on a tablet, on a phone."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster.contracts.health import ServiceInstance, Severity, Topic
from credit_ct_dagster.modeling.pages.health import HealthPage
from credit_ct_dagster_tests.e2e.layout import off_screen
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.modeling.watching import healths

pytestmark = pytest.mark.timeout(120)

_SIZES = {"screen": (1400, 900), "tablet": (820, 1180), "phone": (360, 740)}
_TAG = "credit_score_classification:yb3gqxsomethinglong"


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Page:
    """The page of a day on which much is wrong, with names as long as they are in life."""
    champion = healths.CHAMPION.model_copy(update={"bentoml_tag": _TAG})
    record = healths.record(
        champion=champion,
        model_name="credit_score_classification",
        service=healths.service(
            url="http://serving.credit-scoring.svc.cluster.local:8000",
            instances=(ServiceInstance(tag=_TAG, since=healths.NOW),) * 2,
        ),
        sentences=(
            healths.sentence(
                Severity.critical,
                Topic.serving,
                f"2 of 2 processes at http://serving.credit-scoring.svc.cluster.local:8000 serve"
                f" {_TAG}-old and not the champion, {_TAG}.",
                code="CT-SERVE-6",
                action="Look at its log, and at credit-ct doctor.",
            ),
            *healths.record().sentences,
            healths.sentence(Severity.warning, Topic.latency, "Slow.", code="CT-HEALTH-4"),
            healths.sentence(Severity.notice, Topic.probation, "m:2 is on probation."),
        ),
    )
    made = HealthPage(
        record,
        "https://dagster/runs/1",
        "https://dagster/assets",
        newest=record.model_copy(
            update={
                "base_dt": "2025-03-24",
                "made_at": healths.NOW + timedelta(days=20),
                "days": (healths.labelled_day(),),
            }
        ),
        newest_url="https://dagster/champion-health/2025-03-24",
    )
    file = tmp_path / "health.html"
    file.write_text(made.html())
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    opened.goto(file.as_uri())
    return opened


@pytest.mark.parametrize("size", _SIZES)
def test_nothing_is_off_the_screen_and_sentences_come_first(page: Page, size: str) -> None:
    """In each size, light and dark: no column has to be scrolled to, and the worst is on top."""
    width, height = _SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save_screenshot(page, f"11_health_{size}_{scheme}")
    assert off_screen(page) == []
    worst = page.locator("#sentences .critical").first
    expect(worst).to_be_in_viewport()
    expect(worst).to_contain_text("and not the champion")
    box, plot = worst.bounding_box(), page.locator("svg").first.bounding_box()
    assert box
    assert plot
    assert box["y"] + box["height"] < height, "it is read without scrolling"
    assert box["y"] < plot["y"]
    letters = page.locator("svg text").first.evaluate("each => each.getBoundingClientRect().height")
    assert letters >= 9, "letters of plots can be read"


def test_the_page_is_printed_on_white_in_one_column(page: Page) -> None:
    """Also by whoever reads it in the dark."""
    page.emulate_media(media="print", color_scheme="dark")
    save_screenshot(page, "11_health_print")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
