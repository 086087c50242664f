"""How often Python looks for reference cycles: seldom, and not at all while a process ends."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = 10_000
"""More objects than that are created before the youngest are looked at; Python's default: 700."""


def collect_seldom() -> None:
    """Spare a process most of Python's searches for garbage; calling it again changes nothing.

    Measured on `credit-ct run`: the libraries create 700,000 objects while they are imported, which
    Python would search a thousand times, for a fifth of the time that the imports take. When the
    process ends, it would search all of them once more, several times, and free them one by one:
    that takes longer than any step but the search. Exit handlers, and whatever closes files and
    connections there, run before; memory is the operating system's to free.
    """
    gc.set_threshold(max(_ALLOCATIONS, gc.get_threshold()[0]), *gc.get_threshold()[1:])
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


@contextmanager
def no_search_for_garbage() -> Iterator[None]:
    """Let Python not look for cycles among objects: imports, and records, are not garbage.

    Every so many new objects it would look through all the others again, a third of the time that
    `import dagster` takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
