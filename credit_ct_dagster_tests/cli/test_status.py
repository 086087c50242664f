"""`credit-ct status`: what it says of a base date."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from credit_ct_dagster.cli.base_dates import BaseDateStatus, Overview
from credit_ct_dagster.cli.status_table import attention, champion_lines, table_of
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, CUSTOMER_SCORES, MONITORING
from credit_ct_dagster_tests.decisions.decisions_in_memory import model_of
from credit_ct_dagster_tests.platform import BASE_DT, Platform

_STATUS = dg.DagsterRunStatus


def _run_of(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> None:
    @dg.job(name=job)
    def made() -> None: ...

    instance.create_run_for_job(made, tags={PARTITION_TAG: BASE_DT}, status=status)


def _status(platform: Platform) -> dict[str, Any]:
    done = platform.command("status", "--json")
    assert done.exit_code == 0, done.output
    [found] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("job", [CUSTOMER_SCORES, MONITORING])
def test_a_run_that_does_not_train_does_not_change_the_state(
    platform: Platform,
    empty_history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    """Queued, running, failed or canceled: it is as far as training came, whose runs count."""
    home = shutil.copytree(empty_history, tmp_path / "home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    platform.store.merge(BASE_DT)
    with dg.DagsterInstance.get() as instance:
        _run_of(instance, CONTINUOUS_TRAINING, _STATUS.SUCCESS)
        for status in (_STATUS.NOT_STARTED, _STATUS.STARTED, _STATUS.FAILURE, _STATUS.CANCELED):
            _run_of(instance, job, status)
            assert _status(platform)["state"] == "merged", status
        _run_of(instance, CONTINUOUS_TRAINING, _STATUS.FAILURE)
        assert _status(platform)["state"] == "failed"


def _made(base_dt: str, **values: Any) -> BaseDateStatus:
    return BaseDateStatus(base_dt, **values)


_FOUND = [
    _made("2025-07-03", state="failed", checks={"columns_have_values": False, "is_fine": True}),
    _made(
        "2025-07-02",
        state="packaged",
        rows=1_234_567,
        splits={"train": 864_197, "val": 185_185, "holdout": 185_185},
        val_accuracy=0.70004,
        holdout_accuracy=0.71236,
        bentoml_tag="credit_score_classification:d4ipvwxjzcbdiax4",
        role="champion",
        decision="promoted: better on the holdouts of several days (Kim)",
    ),
    _made("2025-07-01", expired=True, decision="not promoted: no evidence"),
]


def _printed(width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(table_of(_FOUND, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_table_fits_eighty_columns_and_cuts_nothing() -> None:
    """Only a decision goes on in the next line."""
    lines = _printed(80)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert lines[2].startswith("2025-07-02  packaged  champion    0.7124  1,234,567  promoted:")
    assert "several days (Kim)" in " ".join(" ".join(lines).split())
    assert "expired" in lines[-1]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, []),
        (100, ["checks"]),
        (140, ["checks", "BentoML tag"]),
        (160, ["checks", "BentoML tag", "val acc."]),
        (180, ["checks", "BentoML tag", "val acc.", "train / val / holdout"]),
    ],
)
def test_a_wider_terminal_shows_more(width: int, shown: list[str]) -> None:
    """What matters most first."""
    title = _printed(width)[0]
    every = ["checks", "BentoML tag", "val acc.", "train / val / holdout"]
    assert [name for name in every if name in title] == shown


def test_what_needs_attention_comes_first() -> None:
    """The model that answers, then what a person is asked, then problems, runs and checks."""
    found = Overview(
        _FOUND, model_of("2025-07-02"), 0.71236, "Approve or reject?", ["MLflow does not answer."]
    )
    assert list(champion_lines(found)) == [
        "Champion: base date 2025-07-02, accuracy 0.7124 on its holdout",
        f"Package:  {model_of('2025-07-02').bentoml_tag}",
    ]
    assert list(champion_lines(Overview(_FOUND))) == ["Champion: none"]
    assert list(attention(found)) == [
        "Approve or reject?",
        "MLflow does not answer.",
        "Base date 2025-07-03: its newest run failed",
        "Base date 2025-07-03: failed checks: columns_have_values",
    ]


def test_of_many_base_dates_that_need_attention_the_newest_are_named() -> None:
    """Ten sentences, and how many more there are."""
    failed = [_made(f"2025-07-{day:02}", state="failed") for day in range(31, 19, -1)]
    *named, rest = attention(Overview(failed))
    assert named[0] == "Base date 2025-07-31: its newest run failed"
    assert len(named) == 10
    assert rest == "2 more of older base dates: credit-ct status --json lists them."


def test_only_some_base_dates_are_listed_on_request(
    platform: Platform, empty_history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest ones, or those from a day on; JSON has all of them unless told otherwise."""
    home = shutil.copytree(empty_history, tmp_path / "home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    days = ["2025-03-07", "2025-03-08", "2025-03-09"]
    for day in days:
        platform.store.merge(day)

    def listed(*options: str) -> list[str]:
        done = platform.command("status", "--json", *options)
        return [each["base_dt"] for each in json.loads(done.stdout)]

    assert listed() == days[::-1]
    assert listed("--limit", "1") == days[2:]
    assert listed("--since", "2025-03-08") == [days[2], days[1]]
    assert listed("--since", "2025-03-08", "--limit", "1") == days[2:]
    assert listed("--since", "1999-12-31") == days[::-1]
    assert "'2025-3-8' is not a date" in platform.command("status", "--since", "2025-3-8").stderr
    shown = platform.command("status", "--limit", "2")
    assert shown.stderr == ""
    assert days[0] not in shown.stdout
    assert "1 older: credit-ct status --limit 3 shows them as well." in shown.stdout
    later = platform.command("status", "--since", "2099-01-01").stdout
    assert f"No base date since 2099-01-01; the newest is {days[2]}." in later
    since = platform.command("status", "--limit", "1", "--since", days[1]).stdout
    assert f"1 older: credit-ct status --limit 2 --since {days[1]} shows them as well." in since
