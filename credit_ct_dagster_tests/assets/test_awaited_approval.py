"""A challenger that a person must approve, from the run that asks to the card that says so."""

import dagster as dg
import pytest

from credit_ct_dagster.contracts.files import MODEL_CARD_FILE
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    EARLIER,
    GOOD_SEARCH,
    NO_FLOORS,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration


def test_a_better_model_waits_for_a_person_who_must_approve_it(
    with_poor_champion: Trained,
) -> None:
    """The run succeeds and asks, the champion serves on; approved, the card and `status` say so."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    gate = {"approval": "required"}
    asked = platform.materialize(instance, BASE_DT, GOOD_SEARCH, gate, checks=False)
    assert asked.success
    record = platform.decision_record()
    assert (record.decision.promoted, record.decision.by_evidence) == (False, "better")
    assert "--decision 2 " in metadata_of(asked, "champion_model")[AWAITING_APPROVAL]
    assert "<strong>Awaiting approval</strong>" in platform.models()[MODEL_CARD_FILE]
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == EARLIER
    again = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("champion_model"),
        config={"champion_model": {"config": NO_FLOORS | gate}},
        checks=False,
    )
    assert again.success, failure_of(again)
    assert platform.decision_record() == record
    done = platform.command("approve", "--decision", "2", "--by", "Kim", "--reason", "card read")
    assert done.exit_code == 0, done.output
    assert platform.promotions.champion() == record.model
    page = platform.models()[MODEL_CARD_FILE]
    assert "<strong>Promoted</strong>" in page
    assert "Approved by Kim: card read" in page
    # The evidence stays, and the card that is made again says the same.
    selection = dg.AssetSelection.assets("champion_model", "model_card")
    assert platform.materialize(instance, selection=selection, checks=False).success
    assert platform.decision_record().decision.comparison == record.decision.comparison
    assert "<strong>Promoted</strong>" in platform.models()[MODEL_CARD_FILE]
