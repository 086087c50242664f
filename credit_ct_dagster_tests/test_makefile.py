"""Commands that a person is told are those that work in this folder."""

from pathlib import Path

import pytest

from credit_ct_dagster import makefile
from credit_ct_dagster_tests.platform import REPOSITORY


@pytest.mark.parametrize("target", ["dev", "mlflow"])
def test_targets_of_the_makefile_are_named_where_it_is(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of one's own data has none, or another one: there, what the target runs is named."""
    monkeypatch.chdir(REPOSITORY)
    assert makefile.command_of(target) == f"make {target}"
    made = (REPOSITORY / "Makefile").read_text().split(f"\n{target}: ")[1].split("\n\n")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Makefile").write_text("dev:\n")
    for word in makefile.command_of(target).split():
        assert word in made
