"""The pages on what labels say, made from Dagster's history when somebody asks for them."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.modeling.pages.served_performance import PerformancePage
from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules, PerformanceRules
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.modeling.watching.healths import DAY
from credit_ct_dagster_tests.served_rows import answers
from credit_ct_dagster_tests.ui.pages import UIServer, materialize

_BEFORE = healths.before(DAY, 1)
_NOW = datetime(2025, 3, 20, tzinfo=UTC)


def _measured(day: str, labelled: float, model_name: str = "m") -> ServedPerformance:
    frame = answers(100, labelled=labelled, day=day)
    made = served_performance(day, frame, PerformanceRules(draws=100), _NOW)
    return made.model_copy(update={"model_name": model_name})


def _estimated(day: str) -> EstimatedPerformance:
    made = estimated_performance(day, answers(100, day=day), EstimationRules(draws=100), _NOW)
    return made.model_copy(update={"model_name": "m"})


def test_the_page_has_what_labels_have_said_since_of_earlier_days(
    instance: dg.DagsterInstance,
) -> None:
    """An earlier day that is measured again changes the pages of the later ones."""
    early, late, day = _measured(_BEFORE, 0.0), _measured(_BEFORE, 0.9), _measured(DAY, 0.5)
    other = _measured(_BEFORE, 0.1, "other")
    estimates = [_estimated(_BEFORE), _estimated(DAY)]
    for estimate in estimates:
        materialize(instance, "estimated_performance", estimate.base_dt, estimate.packed())
    server = UIServer(instance)
    for each in (early, day):
        materialize(instance, "served_performance", each.base_dt, each.packed())
    first = server.get(f"/served-performance/{DAY}")
    assert first.text == PerformancePage("m", [early, day], estimates).html()
    assert first.headers["content-security-policy"].startswith("default-src 'none';")
    for each in (late, other):
        materialize(instance, "served_performance", each.base_dt, each.packed())
    second = server.get(f"/served-performance/{DAY}?model=m").text
    assert second == PerformancePage("m", [late, day], estimates).html()
    assert second != first.text


def test_the_page_on_health_leads_to_it(instance: dg.DagsterInstance) -> None:
    """Where there is such a page."""
    server = UIServer(instance)
    materialize(instance, "champion_health", DAY, healths.record().packed())
    assert "/served-performance/" not in server.get(f"/champion-health/{DAY}").text
    materialize(instance, "served_performance", DAY, _measured(DAY, 0.5).packed())
    page = server.get(f"/champion-health/{DAY}?model=m").text
    assert f'href="/served-performance/{DAY}?model=m"' in page


@pytest.mark.parametrize(
    ("day", "packed", "status", "said"),
    [
        (DAY, None, 404, NoHealthRecordError.code),
        ("<script>", None, 404, "Write the day as YYYY-MM-DD."),
        (DAY, "no record", 500, UnreadableRecordError.code),
    ],
)
def test_without_a_record_there_is_a_sentence(
    instance: dg.DagsterInstance, day: str, packed: str | None, status: int, said: str
) -> None:
    """With its code, as everywhere."""
    materialize(instance, "served_performance", DAY, packed)
    answer = UIServer(instance).get(f"/served-performance/{day}")
    assert answer.status_code == status
    assert said in answer.text
