"""Where a page puts things."""

from playwright.sync_api import Page

_OUTSIDE = """() => [...document.querySelectorAll("body *")]
    .filter(each => !each.closest("svg") || each.tagName === "svg")
    .filter(each => {
        const box = each.getBoundingClientRect();
        return box.width > 1 && (box.right > window.innerWidth + 0.5 || box.left < -0.5);
    })
    .map(each => each.tagName + " " + each.textContent.trim().slice(0, 40))"""
_SCROLLED = """() => [...document.querySelectorAll("html, section, table, pre, svg")]
    .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
    .map(each => each.tagName + "#" + each.id)"""


def off_screen(page: Page) -> list[str]:
    """What a reader has to scroll sideways for."""
    return [*page.evaluate(_OUTSIDE), *page.evaluate(_SCROLLED)]
