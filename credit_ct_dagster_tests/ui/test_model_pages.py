"""Model cards and pictures of searches that the UI's server has, from Dagster's history."""

import dagster as dg
import pytest

from credit_ct_dagster.contracts.files import MODEL_CARD_FILE
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.stored_pages import stored_pages
from credit_ct_dagster_tests.ui.pages import UIServer

_DAY, _BEFORE = "2025-03-10", "2025-03-09"
_SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture
def server(instance: dg.DagsterInstance) -> UIServer:
    """A server of an empty history."""
    return UIServer(instance)


def _report(
    instance: dg.DagsterInstance, base_dt: str, card: str, model: str = "m", again: bool = False
) -> None:
    """Report that a card was made, or written anew after a decision."""
    event = dg.AssetObservation if again else dg.AssetMaterialization
    metadata = stored_pages(model, {MODEL_CARD_FILE: card})
    instance.report_runless_asset_event(event("model_card", partition=base_dt, metadata=metadata))


def test_the_card_is_the_newest_that_was_written(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """A decision by a person writes it anew; no script of it may run."""
    _report(instance, _DAY, "<h1>as made ü</h1>")
    assert server.get(f"/model-card/{_DAY}").text == "<h1>as made ü</h1>"
    _report(instance, _DAY, "<h1>promoted by jane</h1>", again=True)
    instance.report_runless_asset_event(dg.AssetMaterialization("model_card", partition=_DAY))
    answer = server.get(f"/model-card/{_DAY}")
    assert (answer.status_code, answer.text) == (200, "<h1>promoted by jane</h1>")
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.get("/runs").text == "Dagster"


def test_cards_are_told_apart_by_model_and_the_newest_is_found(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """Of models that share a history; a bookmark leads to the newest base date."""
    _report(instance, _BEFORE, "mine")
    _report(instance, _DAY, "theirs", model="other")
    assert server.get("/model-card").headers["location"] == f"/model-card/{_DAY}"
    named = server.get("/model-card?model=m").headers["location"]
    assert named == DagsterUI(model_name="m").card_path(_BEFORE)
    assert server.get(named).text == "mine"
    assert server.get(f"/model-card/{_DAY}?model=m").status_code == 404


def test_pictures_of_a_search_are_pictures(instance: dg.DagsterInstance, server: UIServer) -> None:
    """As the links in the metadata name them."""
    metadata = stored_pages("m", {"search.svg": _SVG})
    made = dg.AssetMaterialization("tuned_runs", partition=_DAY, metadata=metadata)
    instance.report_runless_asset_event(made)
    answer = server.get(DagsterUI(model_name="m").picture_path(_DAY, "search.svg"))
    assert (answer.text, answer.headers["content-type"]) == (_SVG, "image/svg+xml")
    assert server.get(f"/search-pictures/{_DAY}/other.svg").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/model-card",
        f"/model-card/{_DAY}",
        f"/search-pictures/{_DAY}/model_card.html",
    ],
)
def test_what_the_history_does_not_have_is_a_sentence(server: UIServer, path: str) -> None:
    """With its code; a name is looked up in the history, never on a disk."""
    answer = server.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert MissingArtifactError.code in answer.text


@pytest.mark.parametrize("day", ["<script>", "..", "20250310"])
def test_a_base_date_is_a_date(server: UIServer, day: str) -> None:
    """Nothing else is looked for."""
    assert "<" not in server.get(f"/model-card/{day}").text
    assert server.get(f"/model-card/{day}").status_code in (200, 404)
