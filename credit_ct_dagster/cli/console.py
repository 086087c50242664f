"""Where commands print."""

from rich.console import Console

_TABLE_WIDTH = 180

console = Console(highlight=False, soft_wrap=True, width=_TABLE_WIDTH)
