"""Tables and sentences in a terminal of eighty columns."""

import io
import logging

import pytest
from rich.console import Console

from credit_ct_dagster.cli import console
from credit_ct_dagster.cli.console import figures, hanging, silence_libraries

_TITLES = [
    "base date", "Optuna studies", "MLflow versions", "packages", "artifacts", "MLflow runs",
    "Dagster runs", "customer scores", "size",
]  # fmt: skip
_ROWS = [
    ["2025-07-01", "1", "1", "1", "12", "51", "2", "12,345", "24.3 MB"],
    ["total", "365", "365", "380", "4,380", "18,615", "730", "4,505,925", "123.4 MB"],
]


def test_what_is_deleted_fits_eighty_columns() -> None:
    """Every store has its column, and no figure is cut; only titles are folded."""
    printed = Console(width=80, file=io.StringIO())
    printed.print(figures(_TITLES, _ROWS))
    assert isinstance(printed.file, io.StringIO)
    lines = printed.file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert [line.split() for line in lines[-2:]] == [" ".join(row).split() for row in _ROWS]
    assert sorted(" ".join(lines[:-2]).split()) == sorted(" ".join(_TITLES).split())


def test_a_sentence_is_wrapped_for_people_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal each line of it begins where the first one does; a program reads one line."""
    text = "word " * 20 + "/a/long/path/that/nobody-wants-to/have/cut/in/pieces.parquet"
    assert hanging(text, 32) == text
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(console, "width", lambda: 80)
    first, *more = hanging(text, 32).splitlines()
    assert len(first) <= 48
    assert all(line.startswith(" " * 32) for line in more)
    assert more[-1].strip().endswith("/cut/in/pieces.parquet")
    assert " ".join(hanging(text, 32).split()) == text


@pytest.mark.parametrize(("terminal", "used"), [(10, 80), (79, 80), (120, 120), (400, 180)])
def test_a_terminal_below_eighty_columns_wraps_by_itself(
    monkeypatch: pytest.MonkeyPatch, terminal: int, used: int
) -> None:
    """A table that is cut to the terminal would not show what it is about."""
    monkeypatch.setenv("COLUMNS", str(terminal))
    assert console.width() == used


def test_an_image_without_pip_is_no_news() -> None:
    """As the stack's is: MLflow warns at every package that it names pip without its version."""
    silence_libraries()
    assert not logging.getLogger("mlflow.utils.environment").isEnabledFor(logging.WARNING)
