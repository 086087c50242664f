"""The model card in a real browser: on a screen, on a phone, on paper."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from credit_ct_dagster.contracts.decision import FloorVerdict
from credit_ct_dagster.contracts.drift import ColumnDrift, MissingDrift, Verdict
from credit_ct_dagster.contracts.fairness import Fairness
from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.e2e.layout import off_screen
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.modeling.pages import cards

pytestmark = pytest.mark.timeout(120)

_SIZES = {"screen": (1400, 900), "tablet": (820, 1180), "phone": (360, 740)}
_COLORS = """() => [...new Set([...document.querySelectorAll("body *")]
    .filter(each => each.textContent.trim() && !each.closest("svg"))
    .map(each => getComputedStyle(each).color))]"""
_DASHES = """() => [...document.querySelectorAll("#calibration polyline")]
    .map(each => getComputedStyle(each).strokeDasharray)"""
_TORN = """() => [...document.querySelectorAll("section")]
    .filter(each => getComputedStyle(each).breakInside !== "auto").map(each => each.id)"""


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Page:
    """A card whose every section is full, with names as long as they are in life."""
    occupations = ["Doctor", "Entrepreneur", "Media_Manager"]
    floors = [cards.floor(f"accuracy of occupation {name}", FloorVerdict.uncertain, champion=0.6)
              for name in occupations]  # fmt: skip
    gone = MissingDrift(reference=0.01, current=0.3, psi=0.98, p_value=0.0001)
    moved = [
        ColumnDrift(
            column=name, psi=0.31, p_value=0.2, ks=0.1, missing=gone, verdict=Verdict.much,
            respelled=0.25,
        )
        for name in schema.FEATURES[:3]
    ]  # fmt: skip
    groups = [cards.group(name, 0.6, 0.0002) for name in occupations]
    card = cards.card(
        record=cards.decided(floors=floors),
        drift=moved,
        importances=dict.fromkeys(schema.FEATURES, 1.0),
        report=cards.report(fairness=Fairness(groups=groups, rows=1_300, customers=1_250)),
    )
    file = tmp_path / "model_card.html"
    file.write_text(card.html())
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    opened.goto(file.as_uri())
    return opened


@pytest.mark.parametrize("size", _SIZES)
def test_no_column_is_off_the_screen(page: Page, size: str) -> None:
    """In each size, light and dark; on a phone, wide tables say beside each value what it is."""
    width, height = _SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save_screenshot(page, f"13_card_{size}_{scheme}")
    assert off_screen(page) == []
    label = "getComputedStyle(document.querySelector('#groups td'), '::before').content"
    assert page.evaluate(label) == ('"rows"' if size == "phone" else "none")


def test_paper_gets_black_on_white_and_full_pages(page: Page) -> None:
    """No grey, also from a dark screen; a section that does not fit goes on over the page."""
    page.emulate_media(media="print", color_scheme="dark")
    save_screenshot(page, "13_card_print")
    assert page.evaluate(_COLORS) == ["rgb(0, 0, 0)"]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    assert page.evaluate(_TORN) == []


def test_lines_are_told_apart_without_colour(page: Page) -> None:
    """Each class has dashes of its own."""
    dashes = page.evaluate(_DASHES)
    assert len(dashes) == len(set(dashes)) == len(schema.CLASSES)
