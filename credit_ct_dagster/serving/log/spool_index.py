"""What waits in a spool, of all processes: how much, since when, and which requests."""

from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from credit_ct_dagster.serving.log.prediction import NewerLineError, Prediction, key_of
from credit_ct_dagster.serving.log.spool import files_in

_REMEMBERED = 200_000
"""How many requests are found again by their id: the newest ones."""


@dataclass(frozen=True)
class Amount:
    """What waits in a spool.

    Attributes:
        rows: How many predictions.
        oldest: When the oldest one was made, in seconds since 1970; None without any.
    """

    rows: int
    oldest: float | None


@dataclass
class _Known:
    """What was read of a file: complete lines up to an offset."""

    offset: int = 0
    rows: int = 0
    oldest: float | None = None


class SpoolIndex:
    """Reads each line of the files once."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self._folder = folder
        self._mutex = Lock()
        self._known: dict[Path, _Known] = {}
        self._places: OrderedDict[str, tuple[Path, int]] = OrderedDict()

    def amount(self) -> Amount:
        """How much waits."""
        with self._mutex:
            self._refresh()
            oldest = [each.oldest for each in self._known.values() if each.oldest is not None]
            rows = sum(each.rows for each in self._known.values())
            return Amount(rows, min(oldest, default=None))

    def known(self, request_ids: Collection[str]) -> set[str]:
        """Which of these requests are among the newest ones that wait."""
        with self._mutex:
            self._refresh()
            return {each for each in request_ids if each in self._places}

    def find(self, request_id: str) -> Prediction | None:
        """The prediction of a request, if it is among the newest ones that wait."""
        with self._mutex:
            self._refresh()
            place = self._places.get(request_id)
        if place is None:
            return None
        path, offset = place
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                found = Prediction.from_line(stream.readline())
        except (OSError, ValueError, NewerLineError):
            return None  # it was drained in the meantime
        return found if found.request_id == request_id else None

    def _refresh(self) -> None:
        """Read the complete lines that were added to any file."""
        files = files_in(self._folder)
        for drained in set(self._known) - set(files):
            del self._known[drained]
        if not self._known:
            self._places.clear()
        for path in files:
            with suppress(OSError):  # it was drained, or is reported when it should be
                self._read_on(path)

    def _read_on(self, path: Path) -> None:
        known = self._known.get(path, _Known())
        size = path.stat().st_size
        if size < known.offset:  # lines were withdrawn, because the disk was full
            known = _Known()
        self._known[path] = known
        if size == known.offset:
            return
        with path.open("rb") as stream:
            stream.seek(known.offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                with suppress(ValueError):
                    request_id, made = key_of(line)
                    self._places[request_id] = (path, known.offset)
                    known.oldest = made if known.oldest is None else min(known.oldest, made)
                known.rows += 1
                known.offset += len(line)
        while len(self._places) > _REMEMBERED:
            self._places.popitem(last=False)
