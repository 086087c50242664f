"""The entry point of a command: the environment is read here, once."""

from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.wiring import Wiring


def wired() -> Wiring:
    """Prepare this process for its environment, and wire the resources.

    Raises:
        SettingsError: A variable has a value that cannot be used.
    """
    return Wiring(set_up_process())
