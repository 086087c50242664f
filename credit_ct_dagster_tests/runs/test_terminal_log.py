"""What `credit-ct run` prints of its steps."""

import logging
import re

import dagster as dg
import pytest

from credit_ct_dagster.runs.terminal_log import terminal_logger


def test_a_long_message_fits_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 80 columns, what goes on is indented, an address is whole, the time has its zone."""
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    address = "http://127.0.0.1:5000/" + "a" * 90
    log = terminal_logger(dg.build_init_logger_context())
    assert isinstance(log, logging.Logger)
    log.info("trial 3 pruned: behind at every rung; " * 4, extra={"dagster_meta": {}})
    log.info(address, extra={"dagster_meta": {}})
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert 60 < len(first) <= 80
    assert re.match(r"\d\d:\d\d:\d\d KST  trial 3", first), first
    assert second.startswith(" " * 10)
    assert len(second) <= 80
    assert last.strip() == address
