"""Values of a search that belong together."""

from enum import StrEnum
from typing import Any


class Preset(StrEnum):
    """Values that belong together."""

    bank = "bank"
    quality = "quality"


QUALITY: dict[str, Any] = {
    "depth": [6],
    "rsm": [0.6, 0.8, 1.0],
    "l2_leaf_reg": [3.0],
    "learning_rate": 0.05,
    "iterations": 5000,
    "early_stopping_rounds": 100,
    "pruning_rungs": [100],
}
"""What `quality` replaces; docs/decisions/0021-search-presets-and-monotone.md has the evidence."""
