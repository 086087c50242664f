"""Dagster's configuration files: those of the working directory, or else those of the package."""

from pathlib import Path

INSTANCE = "dagster.yaml"
"""Describes the embedded instance."""
WORKSPACE = "workspace.yaml"
"""Names the code locations."""

_SHIPPED = Path(__file__).with_name("shipped")


def own_or_shipped(name: str) -> Path:
    """The file of that name in the working directory; if it has none, the one that is shipped.

    So a folder of one's own data needs neither: it has a UI, its runs belong to the code location,
    and Dagster sends no telemetry. Paths in these files are relative to the working directory.

    Args:
        name: `INSTANCE` or `WORKSPACE`.
    """
    own = Path.cwd() / name
    return own if own.exists() else _SHIPPED / name
