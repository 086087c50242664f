"""Two models (MODEL_NAME) side by side: on one Dagster instance, and in the same stores."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.automation.base_date_runs import is_in_progress, was_started
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.operations.prune import Retention
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.model_runs import MODEL_TAG, ModelRuns
from credit_ct_dagster_tests.dagster_internals import create_run_for_test
from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_BEFORE = (date.fromisoformat(BASE_DT) - timedelta(days=1)).isoformat()


class _MuchLater(Calendar):
    """By then, every base date is old enough to be deleted."""

    def newest(self, now: datetime | None = None) -> str:
        return "2026-03-10"


@pytest.fixture
def other(trained_copy: Trained) -> Iterator[Platform]:
    """A second model, trained on two base dates by runs of the same instance."""
    made = replace(trained_copy.platform, model_name=f"{trained_copy.platform.model_name}-other")
    for base_dt in (_BEFORE, BASE_DT):
        assert made.materialize(trained_copy.instance, base_dt, checks=False, scores=True).success
    yield made
    shutil.rmtree(Path(made.packages.home) / "models" / made.model_name, ignore_errors=True)


def test_two_models_do_not_touch_each_other(trained_copy: Trained, other: Platform) -> None:
    """Neither by their runs, nor by a promotion and a rollback, nor by a prune."""
    ours, instance = trained_copy.platform, trained_copy.instance
    champion = ours.promotions.champion()
    scores = {each: CustomerScores(each.store.database, each.model_name) for each in (ours, other)}
    scored = {each: scores[each].per_base_date() for each in scores}
    assert [sorted(of) for of in scored.values()] == [[BASE_DT], [_BEFORE, BASE_DT]]
    history = {each: RunHistory(instance, each.model_name) for each in (ours, other)}
    assert history[ours].finished() == {BASE_DT: [trained_copy.result.run_id]}
    assert {base_dt: len(ids) for base_dt, ids in history[other].finished().items()} == {
        _BEFORE: 1,
        BASE_DT: 1,
    }
    assert history[ours].check_results().keys() == {BASE_DT}
    assert history[other].check_results() == {}
    assert not was_started(ModelRuns(instance, ours.model_name), _BEFORE)

    first = other.promotions.champion()
    assert first is not None
    target = BASE_DT if first.base_dt == _BEFORE else _BEFORE
    person = ("--by", "a", "--reason", "b")
    promoted = other.command("promote", "--partition", target, *person, "--despite-floors")
    assert promoted.exit_code == 0, promoted.output
    rolled_back = other.command("rollback", *person)
    assert rolled_back.exit_code == 0, rolled_back.output
    back = other.promotions.champion()
    assert back is not None
    assert back.registered_version == first.registered_version
    assert ours.promotions.champion() == champion
    assert ours.promotions.previous() is None

    third = replace(ours, model_name=f"{ours.model_name}-third")
    third.artifacts.write(MODEL_FOLDER, BASE_DT, {"anything.json": {}})
    tags = {"dagster/partition": BASE_DT, MODEL_TAG: third.model_name}
    run = create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    retention = Retention(third.promotions, third.studies, third.store, _MuchLater(), instance)
    assert retention.plan(90).expired.keys() == {BASE_DT}
    assert retention.remove(BASE_DT).deleted
    assert instance.get_run_by_id(run.run_id) is None
    assert instance.get_run_by_id(trained_copy.result.run_id) is not None
    assert history[other].finished()[BASE_DT]
    assert {each: scores[each].per_base_date() for each in scores} == scored
    assert ours.models().path.exists()


def test_a_run_in_progress_blocks_its_own_model_only(instance: dg.DagsterInstance) -> None:
    """One of an earlier release, or that has not begun, may be any model's."""
    mine, theirs = (ModelRuns(instance, name) for name in ("a", "b"))
    tags = {"dagster/partition": BASE_DT, MODEL_TAG: "a"}
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert is_in_progress(mine, BASE_DT)
    assert not is_in_progress(theirs, BASE_DT)
    tags = {"dagster/partition": _BEFORE}
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert is_in_progress(mine, _BEFORE)
    assert is_in_progress(theirs, _BEFORE)


@pytest.mark.parametrize(
    ("tagged", "model", "owns"),
    [
        ([], "a", True),
        (["a"], "a", True),
        (["a", "b"], "a", False),
        (["a"], "credit_score_classification", True),
    ],
)
def test_a_run_without_a_name_is_that_of_the_only_model_or_of_the_default_one(
    instance: dg.DagsterInstance, tagged: list[str], model: str, owns: bool
) -> None:
    """Earlier releases did not record it; of two others, neither may delete it."""
    for name in tagged:
        create_run_for_test(instance, tags={MODEL_TAG: name})
    run = create_run_for_test(instance)
    assert ModelRuns(instance, model).owns(run) == owns
    listed = {each.dagster_run.run_id for each in ModelRuns(instance, model).records()}
    assert (run.run_id in listed) == owns
