"""The UI follows the first base date: a code location reads it only when it is loaded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from credit_ct_dagster.errors.base import CreditCtError

_LOOK_SECONDS = 2


class _Workspace(Protocol):
    """That of a web server."""

    def reload_workspace(self) -> None:
        """Load the code locations anew."""


@contextmanager
def following(
    workspace: _Workspace, first_base_date: Callable[[], str], pause: float = _LOOK_SECONDS
) -> Iterator[None]:
    """Load the code locations anew whenever the first base date is another one.

    The embedded default has none before its first labels are loaded, which another process does.

    Args:
        workspace: Of the UI; its daemon asks the same code servers.
        first_base_date: Asked again and again.
        pause: Seconds in between.
    """
    ended, known = Event(), first_base_date()

    def follow() -> None:
        nonlocal known
        while not ended.wait(pause):
            try:
                now = first_base_date()
            except CreditCtError:  # the code location says so, when it is loaded
                continue
            if now != known:
                known = now
                workspace.reload_workspace()

    thread = Thread(target=follow, name="first base date", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
