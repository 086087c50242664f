"""The model card of a model that was judged by the newest window only."""

from credit_ct_dagster.contracts.window_contrast import WindowContrast
from credit_ct_dagster_tests.modeling.pages import cards
from credit_ct_dagster_tests.modeling.pages.sections import section

_CONTRAST = WindowContrast(
    newest=0.16, older=-0.09, pooled=-0.01, low=0.18, high=0.31, confidence=0.95
)
_AT_HIGHER_LEVEL = cards.COMPARISON.model_copy(update={"confidence": 0.9975})


def test_windows_that_contradict_each_other_are_the_first_thing_to_look_at() -> None:
    """What each says, which of them decided, and at which level; old holdouts are not named."""
    record = cards.decided(windows=_CONTRAST, comparison=_AT_HIGHER_LEVEL)
    [finding] = cards.card(record=record).findings
    assert (finding.section, finding.is_beyond_doubt) == ("evidence", True)
    assert "only the newest rows decided" in finding.sentence
    read = section("evidence", record=record)
    assert "from the holdout of 2025-01-31 only." in read
    assert (
        "The windows contradict each other: better by +0.1600 in the newest, by -0.0900 in those"
        " before it (they differ by +0.2500, 95% interval +0.1800 to +0.3100; pooled, it would be"
        " -0.0100). Only the newest decides. The interval of the comparison holds with 99.75 %"
        " confidence." in read
    )


def test_windows_that_agree_are_no_finding() -> None:
    """The card names the holdouts that were pooled, and says no more."""
    agree = _CONTRAST.model_copy(update={"low": -0.02})
    record = cards.decided(windows=agree)
    assert cards.card(record=record).findings == []
    read = section("evidence", record=record)
    assert "from the holdouts of 2025-01-31, 2024-12-31" in read
    assert "contradict" not in read
