"""What a card says of the decisions on its model, when it is made and ever after."""

from datetime import timedelta

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.modeling.judging.standing import standing_since
from credit_ct_dagster.modeling.pages.card_decision import CardDecision
from credit_ct_dagster_tests.modeling.pages import cards

_WRITTEN_BEFORE = (
    '<p>above</p>\n<div class="decision wide promoted">\n  <strong>Promoted</strong>\n'
    "  <p>plainly</p>\n</div>\n<p>below</p>"
)


def _card_decision(record: DecisionRecord, *later: DecisionRecord) -> CardDecision:
    return CardDecision(record, standing_since(record, [record, *later], record.time))


def _later(record: DecisionRecord, by: str, decision: Decision) -> DecisionRecord:
    """A decision on the model that served before."""
    update = {
        "number": 3, "by": by, "model": cards.BEFORE, "before": cards.MODEL,
        "decision": decision, "champion": "1", "previous": "2",
    }  # fmt: skip
    return record.model_copy(update=update)


def test_a_card_follows_later_decisions_and_keeps_its_evidence() -> None:
    """Here the model before comes back by a person; only the block on decisions is another one."""
    record = cards.decided()
    page = cards.card(record=record).html()
    assert "<strong>Promoted</strong>" in page
    assert "Decided by gate, 2025-02-01 15:00 Asia/Seoul; record " in page
    back = Decision(promoted=True, ground=Ground.person, sentence="Rolled back by Lee: <i>")
    after = _card_decision(record, _later(record, "Lee", back)).put_on(page)
    assert "<strong>No longer in service</strong>" in after
    assert "until that of base date 2025-01-30 took its place" in after
    assert (
        "Since then, on the model of base date 2025-01-30: Rolled back by Lee: &lt;i&gt;. Decided"
        " by Lee, "
    ) in after
    assert 'class="decision wide promoted"' not in after
    ends = [each.split("<!--/decision-->")[1] for each in (page, after)]
    assert ends[0] == ends[1]
    # As often as there are decisions.
    assert _card_decision(record).put_on(after) == page


def test_a_model_that_waits_is_not_called_promoted() -> None:
    """By the evidence it should serve; a person has not said so yet."""
    approval = Approval(expires=cards.decided().time + timedelta(days=7))
    waiting = cards.decided(
        promoted=False, ground=Ground.awaiting_approval, approval=approval, sentence="Awaiting."
    )
    block = _card_decision(waiting).html()
    assert "<strong>Awaiting approval</strong>" in block
    assert "a person has to approve that first" in block


def test_a_champion_that_a_person_keeps_was_not_promoted_by_that_person() -> None:
    """The gate promoted it."""
    record = cards.decided()
    kept = Decision(promoted=True, ground=Ground.person, sentence="Kept by Lee: calm.")
    later = record.model_copy(update={"number": 3, "by": "Lee", "decision": kept})
    block = _card_decision(record, later).html()
    assert "This model stays in service: a person decided to keep it" in block
    assert "A person decided that this model is in service" not in block


def test_a_champion_that_a_rollback_brought_back_is_in_service_again() -> None:
    """In the words of `credit-ct status`."""
    back = Decision(promoted=True, ground=Ground.rolled_back, sentence="Rolled back by Bob: slow.")
    block = _card_decision(cards.decided().model_copy(update={"by": "Bob", "decision": back}))
    assert block.title == "In service again"
    assert "a person took the model that had taken its place out of service" in block.plainly
    assert block.standing.summary == "in service again by rollback (Bob)"


def test_every_ground_has_plain_words() -> None:
    """A card is made for each of them."""
    approval = Approval(expires=cards.decided().time + timedelta(days=7))
    for ground in Ground:
        record = cards.decided(ground=ground, promoted=False, approval=approval)
        assert _card_decision(record).plainly, ground


def test_a_card_of_an_earlier_release_is_brought_up_to_date() -> None:
    """It has no marks around the block."""
    after = _card_decision(cards.decided(sentence=r"Promoted: \1.")).put_on(_WRITTEN_BEFORE)
    assert after.startswith("<p>above</p>\n<!--decision-->")
    assert after.endswith("<!--/decision-->\n<p>below</p>")
    assert r"Promoted: \1." in after
