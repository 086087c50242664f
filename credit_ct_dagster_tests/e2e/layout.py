"""Where a page puts things."""

from collections.abc import Mapping

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

_CUT_OFF = """renamed => {
    const found = [];
    for (const table of document.querySelectorAll("table")) {
        const texts = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode;
            for (const [old, now] of renamed)
                text.data = text.data.replace(new RegExp(old, "g"), now);
        }
        const range = document.createRange();
        for (texts.currentNode = table; texts.nextNode();) {
            range.selectNodeContents(texts.currentNode);
            const right = range.getBoundingClientRect().right;
            for (let each = texts.currentNode.parentElement; each; each = each.parentElement)
                if (getComputedStyle(each).overflowX !== "visible"
                        && right > each.getBoundingClientRect().right + 0.5) {
                    found.push(texts.currentNode.data.trim().slice(0, 80));
                    break;
                }
        }
    }
    return [...new Set(found)];
}"""


def cut_off(page: Page, renamed: Mapping[str, str]) -> list[str]:
    """What a reader of the tables of one of Dagster's pages has to scroll sideways for.

    Args:
        page: The page.
        renamed: Patterns of names that are longer, or shorter, in a test than where people work,
            and those that replace them.
    """
    found: list[str] = page.evaluate(_CUT_OFF, list(renamed.items()))
    return found


def off_screen(page: Page) -> list[str]:
    """What a reader has to scroll sideways for."""
    return [*page.evaluate(_OUTSIDE), *page.evaluate(_SCROLLED)]
