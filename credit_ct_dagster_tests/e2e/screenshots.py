"""What a page looks like, in `build/e2e/`, for a person to look at."""

from playwright.sync_api import Locator, Page

from credit_ct_dagster_tests.platform import REPOSITORY

_FOLDER = REPOSITORY / "build" / "e2e"


def save_screenshot(page: Page, name: str) -> None:
    """Save a picture of the whole page."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_FOLDER / f"{name}.png", full_page=True)


def save_part(part: Locator, name: str) -> None:
    """Save a picture of a part of a page."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    part.screenshot(path=_FOLDER / f"{name}.png")
