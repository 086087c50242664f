"""The UI shows the base dates that there are, also when the first rows are loaded while it runs."""

from threading import Event

from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.ui.first_day import following


class _Workspace:
    """Says when its code locations are loaded anew."""

    def __init__(self) -> None:
        self.reloads, self.was_reloaded = 0, Event()

    def reload_workspace(self) -> None:
        self.reloads += 1
        self.was_reloaded.set()


def test_code_locations_are_loaded_anew_when_base_dates_begin_elsewhere() -> None:
    """Once; a record that cannot be read for a moment changes nothing."""
    workspace, answers = _Workspace(), iter(["2025-01-01", "2025-01-01", "", "2026-03-27"])
    last_looks = iter(range(3))
    looked_again = Event()

    def first_base_date() -> str:
        found = next(answers, None)
        if found is None:
            if next(last_looks, None) is None:
                looked_again.set()
            return "2026-03-27"
        if not found:
            raise UnreadableRecordError("half a record")
        return found

    with following(workspace, first_base_date, pause=0.001):
        assert workspace.was_reloaded.wait(60)
        assert looked_again.wait(60)
    assert workspace.reloads == 1
