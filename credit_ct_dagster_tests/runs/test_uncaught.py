"""What `dagster` on the command line raises: which of it becomes a sentence."""

import sys
import warnings

import dagster as dg
import pytest
from click.testing import CliRunner

from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.runs.failures import base_date_of_run
from credit_ct_dagster.runs.uncaught import report_base_dates_in_one_line, sentence_for
from credit_ct_dagster_tests.dagster_internals import create_dagster_cli
from credit_ct_dagster_tests.platform import Platform


def _raised(key: str) -> BaseException:
    """What Dagster raises for a partition key that it does not have."""

    @dg.asset(partitions_def=Calendar().partitions)
    def asset() -> None:
        """Is never materialized."""

    with pytest.raises(dg.DagsterUnknownPartitionError) as raised:
        dg.materialize([asset], partition_key=key)
    return raised.value


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("2025-02-30", "'2025-02-30' is not a date"),
        ("2052-01-31", "has not ended in Asia/Seoul yet"),
        ("2024-12-31", "lies before the first one, 2025-01-01"),
    ],
)
def test_a_base_date_that_does_not_exist_is_one_sentence(key: str, sentence: str) -> None:
    """As `credit-ct run` reports it."""
    found = sentence_for(_raised(key), Calendar())
    assert found is not None
    assert sentence in found.sentence
    assert found.code == "CT-DATE-1"


def test_an_impossible_date_in_a_tag_is_one_sentence() -> None:
    """`dagster job execute` parses it before it looks for the partition."""
    with pytest.raises(ValueError, match="time data") as raised:
        Calendar().partitions.time_window_for_partition_key("2025-02-30")
    found = sentence_for(raised.value, Calendar())
    assert found is not None
    assert found.code == "CT-DATE-1"


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), KeyError("2025-02-30"), dg.DagsterInvalidSubsetError("x")]
)
def test_other_errors_keep_their_traceback(error: BaseException) -> None:
    """A bug is not hidden behind a sentence."""
    assert sentence_for(error, Calendar()) is None


def test_the_sentence_replaces_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others reach the hook that was there before."""
    passed_on = []
    monkeypatch.setattr(sys, "excepthook", lambda *raised: passed_on.append(raised[1]))
    report_base_dates_in_one_line(Calendar())
    error, bug = _raised("2025-02-30"), RuntimeError("a bug")
    sys.excepthook(type(error), error, None)
    sys.excepthook(type(bug), bug, None)
    assert capsys.readouterr().err.startswith("Error: '2025-02-30' is not a date")
    assert passed_on == [bug]


def test_a_run_without_a_base_date_fails_with_a_sentence() -> None:
    """`dagster job execute` without a tag, or with the tags of a range, gets as far as a step."""
    with pytest.raises(dg.Failure, match=r"This run has no base date\. Give it one: credit-ct"):
        base_date_of_run(dg.build_asset_context())


def test_what_libraries_tell_authors_of_code_locations_is_not_shown(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions are pinned: that dagster-mlflow is in beta helps no operator; the rest does."""
    for name, value in platform.environment.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        set_up_process()
        beta = "Class `MlFlow` is currently in beta, and may have breaking changes in releases."
        warnings.warn(beta, dg.BetaWarning, stacklevel=1)
        warnings.warn("The disk is nearly full.", UserWarning, stacklevel=1)
    assert [str(each.message) for each in shown] == ["The disk is nearly full."]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "This run has no base date."),
        (("--partition-range", "2025-01-30...2025-01-31"), "A range of base dates cannot be run"),
        (("--partition", "2025-02-30"), "'2025-02-30' is not a date"),
    ],
)
def test_what_dagster_refuses_is_recognised_by_its_text(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], sentence: str
) -> None:
    """It has no classes for it: an upgrade that changes a text is noticed here."""
    monkeypatch.chdir(platform.folder)
    for name, value in platform.settings.exported().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    command = ["asset", "materialize", "-m", "credit_ct_dagster.definitions", "--select", "*"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(create_dagster_cli(), [*command, *options])
    assert result.exception is not None
    found = sentence_for(result.exception, Calendar())
    assert found is not None, result.exception
    assert found.sentence.startswith(sentence)
