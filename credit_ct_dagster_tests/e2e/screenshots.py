"""What a page looks like, in `build/e2e/`, for a person to look at."""

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page
from rich.console import Console

from credit_ct_dagster_tests.platform import REPOSITORY

_FRAME = 90
_FOLDER = REPOSITORY / "build" / "e2e"


def save_screenshot(page: Page, name: str) -> None:
    """Save a picture of the whole page."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_FOLDER / f"{name}.png", full_page=True)


def save_part(part: Locator, name: str) -> None:
    """Save a picture of a part of a page."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    part.screenshot(path=_FOLDER / f"{name}.png")


def save_documented(page: Page, name: str, around: Sequence[Locator] = ()) -> None:
    """Save what a page shows without scrolling: a picture that documents show.

    Args:
        page: The page.
        name: Of the picture.
        around: Only the part of the page that they span, and what frames them. [default: all]
    """
    boxes = [box for each in around if (box := each.bounding_box())]
    clip: FloatRect | None = None
    if boxes:
        left, top = (min(box[side] for box in boxes) for side in ("x", "y"))
        right = max(box["x"] + box["width"] for box in boxes)
        bottom = max(box["y"] + box["height"] for box in boxes)
        clip = {
            "x": left - _FRAME, "y": top - _FRAME,
            "width": right - left + 2 * _FRAME, "height": bottom - top + 2 * _FRAME,
        }  # fmt: skip
    page.screenshot(path=_documented(f"{name}.png"), clip=clip)


def save_terminal(command: str, printed: str, name: str) -> None:
    """Save what a command printed, as it is in a terminal, as a picture that documents show."""
    lines = [f"$ {command}", *printed.rstrip().splitlines()]
    width = max(80, *map(len, lines))
    shown = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    for line in lines:
        shown.print(line, markup=False)
    picture = shown.export_svg(title=command, unique_id=name)
    # Rich names a font of another server.
    _documented(f"{name}.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.S))


def _documented(file: str) -> Path:
    """In `docs/images` for `make screenshots`; else beside the others, for a person to look at."""
    folder = Path(os.environ.get("SCREENSHOTS", _FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / file
