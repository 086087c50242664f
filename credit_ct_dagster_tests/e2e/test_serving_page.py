"""What a person does on the page of the HTTP service, in a real browser; `make e2e`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.e2e.screenshots import save_part, save_screenshot
from credit_ct_dagster_tests.serving.server.served_platform import RunningServer
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.timeout(300)

_PAGE_MILLISECONDS = 60_000
_PREDICT, _MODEL = "Predictions-post_predict", "Model-get_model"


@pytest.fixture
def server(trained_copy: Trained) -> Iterator[RunningServer]:
    """`credit-ct serve` with the champion of a trained base date."""
    with RunningServer.of(trained_copy.platform, workers=1) as running:
        yield running


def _execute(page: Page, operation: str) -> Locator:
    """Expand an operation, and send its example; returns where the answer is."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status").first).to_contain_text("200")
    return answer


def _json(answer: Locator) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(answer.locator("pre.microlight").first.inner_text())
    return answered


def test_a_customer_is_scored_on_the_page(server: RunningServer, browser: Browser) -> None:
    """The example of /predict has a class, probabilities and reasons; /model names the model."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(_PAGE_MILLISECONDS)
    expect.set_options(timeout=_PAGE_MILLISECONDS)
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(server.url)
    expect(page.get_by_text("Score one customer")).to_be_visible()
    save_screenshot(page, "8_service")

    predicted = _json(_execute(page, _PREDICT))
    assert predicted["credit_score"] in schema.CLASSES
    assert sum(predicted["probabilities"].values()) == pytest.approx(1)
    assert bool(predicted["reasons"]) == (predicted["credit_score"] != schema.CLASSES[-1])
    save_part(page.locator(f"#operations-{_PREDICT}"), "9_prediction")
    page.goto("about:blank")
    page.goto(server.url)

    model = _json(_execute(page, _MODEL))
    assert model["tag"] == predicted["model"]["tag"]
    save_part(page.locator(f"#operations-{_MODEL}"), "10_model")
    assert not faults
    assert {url for url in asked if not url.startswith((server.url, "data:"))} == set()
