"""Python seldom looks for garbage in the platform's processes."""

import gc
import subprocess
import sys
from contextlib import suppress

import pytest

from credit_ct_dagster.garbage import no_search_for_garbage

_PROGRAM = """
import atexit, gc, weakref
from credit_ct_dagster.garbage import collect_seldom

class Cycle:
    def __init__(self):
        self.itself = self
        weakref.finalize(self, print, "finalized")

atexit.register(lambda: print("before", gc.get_freeze_count() > 0))
collect_seldom()
collect_seldom()
atexit.register(lambda: print("exit handler", gc.get_freeze_count() > 0))
Cycle()
print(gc.get_threshold()[0])
"""


def test_a_process_that_ends_collects_nothing_after_its_exit_handlers() -> None:
    """Those that were registered later, and finalizers, run first; calling it twice is once."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split("\n") == [
        "10000", "finalized", "exit handler False", "before True", "",
    ]  # fmt: skip


@pytest.mark.parametrize("enabled", [True, False])
def test_the_search_goes_on_as_before(enabled: bool) -> None:
    """Also after an error; who has switched it off finds it off."""
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with suppress(LookupError), no_search_for_garbage():
            assert not gc.isenabled()
            raise LookupError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
