"""The asset of the model card: what it measures, records and survives."""

import dagster as dg

from credit_ct_dagster.assets import raw_rows as rows_of
from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.stability import predictions_sha256
from credit_ct_dagster_tests.platform import BASE_DT, Platform, metadata_of
from credit_ct_dagster_tests.trained import Trained

_CARD = dg.AssetSelection.assets("model_card")


def test_the_lineage_has_the_hash_of_what_the_package_predicts(trained: Trained) -> None:
    """It can be computed again from the package and the holdout, and is in the metadata."""
    platform = trained.platform
    lineage = platform.models().read(Lineage)
    champion = platform.promotions.champion()
    assert champion
    holdout = rows_of.raw_rows(platform.artifacts, BASE_DT, "holdout")
    scored = platform.promotions.load(champion).scorer.score_rows(holdout)
    assert lineage.predictions_sha256 == predictions_sha256(holdout, scored)
    assert lineage.predicted_rows == len(holdout)
    assert metadata_of(trained.result, "model_card")["predictions_sha256"] in (
        lineage.predictions_sha256
    )


def test_the_report_holds_what_a_validator_asks_for(trained: Trained) -> None:
    """Monotonicity of every directed feature, calibration beside chance, groups, the class rule."""
    report = trained.platform.models().read(AssessmentReport)
    assert {each.feature for each in report.monotonicity} == set(schema.DIRECTED)
    assert {each.rows for each in report.monotonicity} == {report.holdout.rows}
    assert report.holdout.perfect_ece
    assert report.holdout.rule
    assert report.holdout.rule.rows == report.holdout.rows
    assert report.fairness
    assert (report.fairness.base_dts, report.fairness.rows) == ([BASE_DT], report.holdout.rows)
    assert (report.reasons, report.reasons_not_compared) == (None, None)
    shown = metadata_of(trained.result, "model_card")
    assert shown["groups_with_adverse_impact"] == len(report.fairness.adverse)
    assert len(shown["rows_that_get_better_as_risk_rises"].records) == len(schema.DIRECTED)


def test_models_and_holdouts_that_no_longer_exist_leave_gaps_on_the_card(
    trained_copy: Trained,
) -> None:
    """They only inform: the card names the missing package, and groups fall back to what exists."""
    platform = trained_copy.platform
    record = platform.decision_record()
    lost = record.model.model_copy(
        update={"base_dt": "2025-02-07", "registered_version": "99", "bentoml_tag": "m:lost"}
    )
    decision = record.decision.model_copy(update={"holdouts": (BASE_DT, "2025-02-07")})
    _replace(platform, record.model_copy(update={"before": lost, "decision": decision}))
    assert platform.materialize(trained_copy.instance, selection=_CARD, checks=False).success
    report = platform.models().read(AssessmentReport)
    assert report.reasons is None
    assert report.reasons_not_compared
    assert "m:lost is not in the BentoML store" in report.reasons_not_compared
    assert "m:lost is not in the BentoML store" in platform.models()[MODEL_CARD_FILE]
    assert report.fairness
    assert report.fairness.base_dts == [BASE_DT]


def _replace(platform: Platform, record: DecisionRecord) -> None:
    platform.artifacts.write(MODEL_FOLDER, record.model.base_dt, {DECISION_FILE: record})
