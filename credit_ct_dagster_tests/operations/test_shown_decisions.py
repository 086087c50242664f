"""Decisions in Dagster's history, whichever database it is in."""

import logging
from contextlib import nullcontext, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.decision import PROBATION, DecisionRecord, Ground
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.operations.shown_decisions import CHAMPION_MODEL, ShownDecisions
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL
from credit_ct_dagster_tests.decisions.decisions_in_memory import NOW, DecisionsInMemory

_FIRST, _SECOND = "2025-03-01", "2025-03-03"


@pytest.fixture
def decisions() -> DecisionsInMemory:
    """A challenger took the place of a champion, and probation brings that one back."""
    made = DecisionsInMemory()
    made.add(_FIRST, Ground.first, promoted=True)
    made.add(_SECOND, Ground.better, promoted=True)
    made.add(_FIRST, Ground.rolled_back, promoted=True, by=PROBATION)
    return made


def _shown(
    decisions: DecisionsInMemory, instance: dg.DagsterInstance, folder: str
) -> ShownDecisions:
    artifacts = ArtifactsIOManager(base_path=folder, model_name="m")
    promotions = SimpleNamespace(
        deciding=lambda _: nullcontext(decisions),
        records=lambda: decisions.records,
        artifacts=artifacts,
        tracking=SimpleNamespace(model_name="m"),  # MLflow does not answer
    )
    ui = DagsterUI(url="http://dagster", model_name="m")
    observe = instance.report_runless_asset_event
    return ShownDecisions(cast("Any", promotions), ui, observe, logging.getLogger(__name__))


def _promoted(instance: dg.DagsterInstance) -> dict[str, object]:
    """What was observed of each base date, the newest last."""
    records = instance.fetch_observations(CHAMPION_MODEL, limit=9, ascending=True).records
    observations = [each.asset_observation for each in records]
    return {str(each.partition): each.metadata["promoted"].value for each in observations if each}


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_both_models_are_observed(
    instance: dg.DagsterInstance, decisions: DecisionsInMemory, tmp_path: Any
) -> None:
    """And nothing is materialized: what follows from the evidence is not out of date."""
    _shown(decisions, instance, str(tmp_path)).show(decisions.records[-1:])
    assert _promoted(instance) == {_FIRST: True, _SECOND: False}
    assert instance.fetch_materializations(CHAMPION_MODEL, limit=1).records == []


def test_what_was_decided_is_shown_although_what_follows_fails(
    instance: dg.DagsterInstance, decisions: DecisionsInMemory, tmp_path: Any
) -> None:
    """The decision stands: a retry, or the next one, does not take it again."""
    shown = _shown(decisions, instance, str(tmp_path))
    decisions.to_show.append(decisions.records[-1])
    with suppress(RuntimeError), shown.deciding():
        raise RuntimeError
    assert _promoted(instance) == {_FIRST: True, _SECOND: False}


def test_what_another_process_decides_meanwhile_is_shown_last(
    instance: dg.DagsterInstance, decisions: DecisionsInMemory, tmp_path: Any
) -> None:
    """It may have shown that before this one shows what it has read."""
    shown = _shown(decisions, instance, str(tmp_path))
    report = instance.report_runless_asset_event
    later: list[DecisionRecord] = []

    def observe(event: dg.AssetObservation) -> None:
        if not later:
            later.append(decisions.add(_SECOND, Ground.person, promoted=True, by="Kim"))
        report(event)

    shown._observe = observe
    shown.show(decisions.records[-1:])
    assert _promoted(instance) == {_FIRST: False, _SECOND: True}


def test_a_question_that_a_promotion_answers_is_asked_no_more(
    instance: dg.DagsterInstance, tmp_path: Any
) -> None:
    """Not only what approves or rejects it."""
    decisions = DecisionsInMemory()
    expires = Approval(expires=NOW + timedelta(days=7))
    decisions.add(_FIRST, Ground.awaiting_approval, approval=expires)
    decisions.add(_FIRST, Ground.person, promoted=True, by="Kim")
    _shown(decisions, instance, str(tmp_path)).show(decisions.records[-1:])
    [record] = instance.fetch_observations(CHAMPION_MODEL, limit=9).records
    observation = record.asset_observation
    assert observation is not None
    assert observation.metadata[AWAITING_APPROVAL].value == "no longer"


def test_the_run_that_decides_shows_its_own_base_date(
    instance: dg.DagsterInstance, decisions: DecisionsInMemory, tmp_path: Any
) -> None:
    """The other one is observed; with no decision, nothing is."""
    shown = _shown(decisions, instance, str(tmp_path))
    shown.show([])
    assert _promoted(instance) == {}
    shown.show(decisions.records[1:2], but=_SECOND)
    assert _promoted(instance) == {}  # the one before has come back since
    shown.show(decisions.records[2:], but=_FIRST)
    assert _promoted(instance) == {_SECOND: False}
