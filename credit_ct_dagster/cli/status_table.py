"""What `credit-ct status` prints for people: what needs attention first, in any width."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from credit_ct_dagster.cli.base_dates import BaseDateStatus, Overview

_ALWAYS = 52
"""Columns on the screen of what is always shown, but for the decision."""
_DECISION = 28
_GAP = 2
_MOST_SENTENCES = 10


@dataclass(frozen=True)
class _More:
    """A column that is shown where there is room for it."""

    title: str
    width: int


_TAG = _More("BentoML tag", 44)
_SPLITS = _More("train / val / holdout", 26)
_VAL = _More("val acc.", 8)
_CHECKS = _More("checks", 10)
_MORE = [_CHECKS, _TAG, _VAL, _SPLITS]
"""What matters most first."""


def champion_lines(found: Overview) -> Iterator[str]:
    """Which model answers."""
    model = found.champion
    if model is None:
        yield "Champion: none"
    elif not model.bentoml_tag:
        yield f"Champion: version {model.registered_version} in MLflow, which no run registered"
    else:
        of = "" if found.accuracy is None else f", accuracy {found.accuracy:.4f} on its holdout"
        yield f"Champion: base date {model.base_dt}{of}"
        yield f"Package:  {model.bentoml_tag}"


def attention(found: Overview) -> Iterator[str]:
    """What somebody should look at, a sentence each: of all base dates, the newest first."""
    if found.question:
        yield found.question
    yield from found.problems
    of_base_dates = [line for status in found.base_dates for line in _attention(status)]
    yield from of_base_dates[:_MOST_SENTENCES]
    more = len(of_base_dates) - _MOST_SENTENCES
    if more > 0:
        yield f"{more:,} more of older base dates: credit-ct status --json lists them."


def _attention(status: BaseDateStatus) -> Iterator[str]:
    failed = [name for name, passed in status.checks.items() if not passed]
    if status.state in _ENDED:
        yield f"Base date {status.base_dt}: its newest run {_ENDED[status.state]}"
    if failed:
        yield f"Base date {status.base_dt}: failed checks: {', '.join(failed)}"
    for problem in status.problems:
        yield f"Base date {status.base_dt}: {problem}"


_ENDED = {"failed": "failed", "canceled": "was canceled"}


def table_of(found: Sequence[BaseDateStatus], width: int) -> Table:
    """A line per base date.

    Args:
        found: The base dates, in their order.
        width: Characters per line; from 80.
    """
    tags = max((len(status.bentoml_tag or "") for status in found), default=0)
    widths = {more: tags if more is _TAG else more.width for more in _MORE}
    room, shown = width - _ALWAYS - _DECISION, []
    for more, needed in widths.items():
        if room >= needed + _GAP:
            shown.append(more)
            room -= needed + _GAP
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for title in ("base date", "state", "role"):
        table.add_column(title, no_wrap=True)
    for title in ("accuracy", "rows"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("decision")
    for more in shown:
        table.add_column(more.title, no_wrap=True)
    for status in found:
        cells = {
            _CHECKS: _checks(status),
            _TAG: status.bentoml_tag or "",
            _VAL: _rounded(status.val_accuracy),
            _SPLITS: " / ".join(f"{rows:,}" for rows in (status.splits or {}).values()),
        }
        table.add_row(
            status.base_dt,
            status.state,
            status.role or "",
            _rounded(status.holdout_accuracy),
            "expired" if status.expired else f"{status.rows:,}",
            status.decision or "",
            *(cells[more] for more in shown),
        )
    return table


def _rounded(accuracy: float | None) -> str:
    return "" if accuracy is None else f"{accuracy:.4f}"


def _checks(status: BaseDateStatus) -> str:
    return f"{sum(status.checks.values())} of {len(status.checks)}" if status.checks else ""
