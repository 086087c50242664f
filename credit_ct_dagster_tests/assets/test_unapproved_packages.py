"""A champion that is packaged again, where a person has to approve what serves."""

import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import UnapprovedPackageError
from credit_ct_dagster.evidence.judged_models import Judge
from credit_ct_dagster.modeling.judging.evidence import Evidence
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.decisions.decisions_in_memory import model_of

_DAY = "2025-03-01"


class _EqualModels(Judge):
    """Finds no difference between any two packages."""

    def _evidence(self, models: "Sequence[Any]", base_dt: str) -> Evidence:
        return Evidence(rows=len(models))


def _judge(approval: ApprovalPolicy) -> Judge:
    loaded = SimpleNamespace(record=SimpleNamespace(calibrated_on=_DAY))
    promotions = SimpleNamespace(load=lambda _: loaded)
    unused = cast("Any", None)
    rules = GateRules(approval=approval)
    log = logging.getLogger(__name__)
    return _EqualModels(cast("Any", promotions), unused, unused, rules, log)


def _package(contents: str) -> ModelIdentity:
    return model_of(_DAY).model_copy(update={"package_sha256": contents * 64})


def test_other_contents_wait_for_a_person() -> None:
    """The same contents change nothing, and without the rule a package that is not worse serves."""
    required = _judge(ApprovalPolicy.required)
    required.require_not_worse(_package("a"), _package("a"))
    _judge(ApprovalPolicy.off).require_not_worse(_package("b"), _package("a"))
    with pytest.raises(UnapprovedPackageError, match=f"promote --partition {_DAY} --by NAME"):
        required.require_not_worse(_package("b"), _package("a"))
