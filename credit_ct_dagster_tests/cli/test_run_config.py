"""`credit-ct run --config`: a file that cannot be used is refused before anything is done."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from credit_ct_dagster.cli import run
from credit_ct_dagster.errors.inputs import RunConfigError


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"ops: {}\nops: {}", "run.yaml cannot be used: 'ops' is there twice, in line 1 and in"),
        ("# Müller".encode("latin-1"), r"run.yaml is not UTF-8 \(line 1\)"),
        (b"[ops]", "run.yaml is not a run configuration: expected a mapping"),
        (b"# ops: {}", "run.yaml is not a run configuration: expected a mapping"),
        (b"execution: {}", "run.yaml sets 'execution'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    content: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its line; no sample rows were loaded, and no history was opened."""
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_bytes(content)
    done = CliRunner().invoke(run.command, ["--config", "run.yaml", "--sample-if-empty"])
    assert isinstance(done.exception, RunConfigError)
    with pytest.raises(RunConfigError, match=problem):
        raise done.exception
    assert list(tmp_path.iterdir()) == [tmp_path / "run.yaml"]
