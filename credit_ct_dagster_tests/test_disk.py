"""Files that are replaced whole, or not at all."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from credit_ct_dagster.disk import replacing

_WRITES_HALF = """
import sys
from pathlib import Path
from credit_ct_dagster.disk import replacing

with replacing(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    """It keeps its permissions, and a link still leads to it."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to(file)
    with replacing(link) as stream:
        stream.write(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [file, link]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Ctrl-C is such a failure."""
    file = tmp_path / "file"

    def write_half() -> None:
        with replacing(file) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """What it had written has another name, which says that it is temporary."""
    file = tmp_path / "file"
    file.write_bytes(b"old")
    command = [sys.executable, "-c", _WRITES_HALF, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert file.read_bytes() == b"old"
    [left] = set(tmp_path.iterdir()) - {file}
    assert left.name.startswith(".file.")
    assert left.name.endswith(".tmp")
