"""Failures that a person can act on: one class per kind, each with a stable code.

The code stands in the message, in alerts, in JSON log lines and in the metadata of a failed run;
`docs/runbook.md` has a section for it. A code is never given to another kind of failure.
"""

import os
import re
from typing import ClassVar

_RUNBOOK = "docs/runbook.md"


def runbook_section(code: str) -> str:
    """Where the runbook explains a code: in the repository, or below RUNBOOK_URL."""
    return f"{os.environ.get('RUNBOOK_URL') or _RUNBOOK}#{code.lower()}"


def with_reference(sentence: str, code: str) -> str:
    """A sentence that ends with its code and where to look it up."""
    return f"{sentence} See {code}: {runbook_section(code)}"


def code_in(text: str) -> str | None:
    """The code that the first sentence with a reference refers to; None in a text without one."""
    found = re.search(r"See (CT-[A-Z0-9-]+): ", text)
    return found[1] if found else None


class CreditCtError(Exception):
    """A failure whose message says what happened, to which base date, and what to do.

    The command line prints the message alone; Dagster shows it as the reason of the failed step
    and does not retry it, because the same input fails the same way.

    Attributes:
        code: Names the kind of failure; each class that is raised has its own.
        sentence: The message without the reference to the runbook, to be quoted in another one.
    """

    code: ClassVar[str]

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return with_reference(self.sentence, self.code)


class UnavailableError(CreditCtError):
    """A server did not answer. A later attempt may succeed, so steps are retried."""
