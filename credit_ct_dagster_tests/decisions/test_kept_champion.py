"""A champion that a person keeps, though its base date has another package by now."""

from credit_ct_dagster_tests.decisions.decided import WINS, decide, save, searched
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model

_DAY = "2025-03-01"


def test_keeping_a_champion_exchanges_no_package(platform: Platform) -> None:
    """What serves stays, nothing goes on record, and the sentence says how to exchange it."""
    fitted = any_model()
    champion = decide(platform, fitted, _DAY, WINS)
    searched(platform, _DAY, champion.mlflow_run_id)
    save(platform, fitted, champion.model_copy(update={"dagster_run_id": "again"}), center=1.0)
    done = platform.command(
        "promote", "--partition", _DAY, "--by", "Kim", "--reason", "it is right", "--keep"
    )
    said = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "was packaged again" in said
    assert "without --keep" in said
    assert "CT-CHAMPION-3" in said
    assert platform.promotions.champion() == champion
    assert len(platform.promotions.records()) == 1
