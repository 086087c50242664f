"""A day of requests, from the log to the page: what a person sees of a feature in another unit."""

import re
from pathlib import Path
from urllib.request import urlopen

import dagster as dg
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from credit_ct_dagster.contracts.files import HEALTH_PAGE_FILE, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord, Severity, Topic
from credit_ct_dagster.contracts.model_name import DEFAULT_MODEL_NAME
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.runs.purposes import MONITORING_ASSETS, TRAINING_ASSETS
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.e2e.layout import cut_off
from credit_ct_dagster_tests.e2e.screenshots import save_screenshot
from credit_ct_dagster_tests.modeling.watching.healths import before
from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY, Platform
from credit_ct_dagster_tests.trained import Trained
from credit_ct_dagster_tests.webserver import dagster_dev, until

pytestmark = pytest.mark.timeout(600)

_FEED = "credit_history_age"
_REQUESTS = 60
_DAYS = [before(BASE_DT, number) for number in (3, 2, 1, 0)]
"""Each has its requests; on the last one, the feed sends years in place of months."""
_LAST_OF_METADATA = re.compile("^(folder|table|data_fingerprint)$")


def _rows_of(platform: Platform, day: str) -> pd.DataFrame:
    names = ", ".join(schema.FEATURE_COLUMNS)
    statement = f"SELECT {names} FROM credit_score_features WHERE date = '{day}' LIMIT {_REQUESTS}"
    with platform.store.database.engine.connect() as connection:
        return pd.read_sql(statement, connection)


def _serve(platform: Platform, day: str) -> None:
    """The requests of a day's customers, as the service logs them."""
    champion = platform.promotions.champion()
    assert champion
    rows = _rows_of(platform, day)
    if day == _DAYS[-1]:
        rows[_FEED] = rows[_FEED] / 12
    answers = platform.promotions.load(champion).scorer.answer_rows(rows)
    requests: list[Prediction] = []
    for (_, row), (_, answer) in zip(rows.iterrows(), answers.iterrows(), strict=True):
        features = {name: None if pd.isna(row[name]) else row[name] for name in schema.FEATURES}
        requests.append(
            served_rows.request(
                f"{day}-{row[schema.CUSTOMER]}",
                day,
                row[schema.CUSTOMER],
                answer["credit_score"],
                probabilities=[answer[f"probability_{name.lower()}"] for name in schema.CLASSES],
                features=features,
                model_tag=champion.bentoml_tag,
                base_dt=champion.base_dt,
                latency_ms=5.0 + len(requests) / 10,
            )
        )
    served_rows.log(platform.store, *requests)


def test_a_day_with_another_unit_is_seen_on_the_page(
    trained_copy: Trained, request: pytest.FixtureRequest
) -> None:
    """Every asset of the monitoring job has its sentence; the skew is on top, with its unit."""
    platform = trained_copy.platform
    for day in _DAYS:
        _serve(platform, day)
    selection = dg.AssetSelection.assets(*MONITORING_ASSETS)
    for day in _DAYS:
        done = platform.materialize(trained_copy.instance, day, selection=selection, checks=False)
        assert done.success, day
    folder = platform.artifacts.open(MONITORING_FOLDER, BASE_DT)
    record = folder.read(HealthRecord)
    [skew] = [each for each in record.sentences if each.topic == Topic.skew]
    assert record.sentences[0] == skew
    assert skew.severity == Severity.critical
    assert f"{_FEED}:" in skew.text
    assert "/ 12" in skew.text
    assert {each.topic for each in record.sentences} >= {
        Topic.serving, Topic.volume, Topic.latency, Topic.classes, Topic.estimated,
        Topic.performance,
    }  # fmt: skip
    assert [each.day for each in record.days] == _DAYS
    assert {each.rows("request") > _REQUESTS / 2 for each in record.days} == {True}
    assert any("New: skew" in each for each in record.changes)

    # Dagster's steps and Playwright would share an event loop.
    browser: Browser = request.getfixturevalue("browser")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(Path(str(folder.path / HEALTH_PAGE_FILE)).as_uri())
    first = page.locator("#sentences li").first
    expect(first).to_be_in_viewport()
    expect(first).to_contain_text("/ 12")
    expect(page.locator("#skew .bars th").first).to_have_text(_FEED)
    save_screenshot(page, "12_watched_day_phone")
    page.set_viewport_size({"width": 1400, "height": 900})
    save_screenshot(page, "12_watched_day")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    _require_nothing_is_cut_off(trained_copy, page)


def _require_nothing_is_cut_off(trained: Trained, page: Page) -> None:
    """On the page of each asset, on a laptop, with the names of the embedded default."""
    platform = trained.platform
    renamed = {r"/\S+/platform/": "", platform.model_name: DEFAULT_MODEL_NAME}
    module, history = "credit_ct_dagster_tests.e2e.linked_location", trained.instance.root_directory
    page.set_viewport_size({"width": 1400, "height": 900})
    expect.set_options(timeout=60_000)
    with dagster_dev(platform, module, PYTHONPATH=str(REPOSITORY), DAGSTER_HOME=history) as port:
        root = f"http://127.0.0.1:{port}"
        until(lambda: urlopen(f"{root}/server_info").status == 200, 90, "the UI's start")
        for asset in (*TRAINING_ASSETS, *MONITORING_ASSETS):
            page.goto(f"{root}/assets/{asset}?view=partitions&partition={BASE_DT}")
            expect(page.get_by_role("cell", name=_LAST_OF_METADATA).last).to_be_visible()
            assert cut_off(page, renamed) == [], asset
            expect(page.get_by_text("[Show Markdown]")).to_have_count(0)
            save_screenshot(page, f"17_{asset}")
