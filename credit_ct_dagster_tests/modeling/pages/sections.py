"""Sections of a model card, as a person reads them."""

import html
import re
from typing import Any

from credit_ct_dagster_tests.modeling.pages import cards


def section(name: str, **changes: Any) -> str:
    """The text of a section of a card with changed fields, with single blanks."""
    page = cards.card(**changes).html()
    [found] = re.findall(rf'<section id="{name}".*?</section>', page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", found).split()))
