"""`credit-ct` itself: its commands, and what helps to type them."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import date, timedelta
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from credit_ct_dagster.cli.main import COMMANDS, main
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY, Platform

_COMMAND = "from credit_ct_dagster.cli.main import main; main(prog_name='credit-ct')"


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def _environment(platform: Platform) -> AbstractContextManager[object]:
    variables = {
        "ARTIFACTS_PATH": platform.settings.artifacts_path,
        "MODEL_NAME": platform.model_name,
    }
    return CliRunner().isolation(env=variables)


def _completions(*words: str) -> list[str]:
    *before, incomplete = words
    complete = BashComplete(main, {}, "credit-ct", "_CREDIT_CT_COMPLETE")
    return [item.value for item in complete.get_completions(list(before), incomplete)]


@pytest.mark.parametrize(
    ("typed", "meant"), [("statu", "status"), ("roll-back", "rollback"), ("predikt", "predict")]
)
def test_a_mistyped_command_is_guessed(runner: CliRunner, typed: str, meant: str) -> None:
    """Commands that have not been imported are guessed too."""
    done = runner.invoke(main, [typed])
    assert done.exit_code == 2
    assert f"Did you mean '{meant}'?" in done.stderr


def test_it_tells_its_version(runner: CliRunner) -> None:
    """That of the installed package."""
    assert runner.invoke(main, ["--version"]).stdout == (
        f"credit-ct {version('credit-ct-dagster')}\n"
    )


def test_lists_of_commands_fit_a_terminal(runner: CliRunner) -> None:
    """80 columns: those of `credit-ct`, and those of make."""
    listed = runner.invoke(main, ["--help"]).stdout.splitlines()
    made = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert len(made) > 20
    assert max(map(len, [*listed, *made])) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_a_terminal_and_has_an_example(
    runner: CliRunner, name: str
) -> None:
    """80 columns; the example begins with the command, and has only options that it takes."""
    done = runner.invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    _, found = done.stdout.split("files of yours:\n")
    options = {
        option
        for param in import_module(f"credit_ct_dagster.cli.{name}").command.params
        if isinstance(param, click.Option)
        for option in (*param.opts, *param.secondary_opts)
    }
    for line in found.splitlines():
        program, command, *words = line.split()
        assert (program, command) == ("credit-ct", name)
        assert {word for word in words if word.startswith("--")} <= options


def test_the_shell_completes_base_dates(platform: Platform) -> None:
    """Of the calendar where any can be run; where a model is needed, only those that have one."""
    newest = platform.wiring.calendar.newest()
    too_young = (date.fromisoformat(newest) + timedelta(days=2)).isoformat()
    path = Path(platform.settings.artifacts_path)
    (path / MODEL_FOLDER.format(model_name=platform.model_name, base_dt=BASE_DT)).mkdir(
        parents=True
    )
    with _environment(platform):
        assert _completions("run", "--partition", newest[:8])[0] == newest
        assert _completions("run", "--partition", too_young) == []
        assert _completions("promote", "--partition", "") == [BASE_DT]
        assert _completions("report", "--partition", "2024") == []


def test_a_wrong_setting_does_not_break_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is offered; the command itself says what is wrong."""
    monkeypatch.setenv("PARTITIONS_START", "soon")
    assert _completions("run", "--partition", BASE_DT[:4]) == []


def test_a_wrong_declaration_of_the_data_does_not_break_the_shell(tmp_path: Path) -> None:
    """It is read when a command is imported; the names of commands need no import."""
    (tmp_path / "data.yaml").write_text("target: {}")
    found = {}
    for typed in ("credit-ct ro", "credit-ct run --partition 2025"):
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND],
            cwd=tmp_path,
            env=os.environ
            | {
                "PYTHONPATH": str(REPOSITORY),
                "DATA_SCHEMA": "data.yaml",
                "_CREDIT_CT_COMPLETE": "bash_complete",
                "COMP_WORDS": typed,
                "COMP_CWORD": str(typed.count(" ")),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        found[typed] = (done.stdout.strip(), done.stderr)
    assert found == {
        "credit-ct ro": ("plain,rollback", ""),
        "credit-ct run --partition 2025": ("", ""),
    }
