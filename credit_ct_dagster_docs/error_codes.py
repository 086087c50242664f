"""The page of the codes: errors, checks and kinds of alerts."""

from types import ModuleType

import dagster as dg

from credit_ct_dagster.alerting.channels import Kind
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster.errors import base, inputs, models, operation, serving, stores, watching
from credit_ct_dagster.runs.failures import check_code
from credit_ct_dagster_docs import docstrings
from credit_ct_dagster_docs import markdown as md

_MODULES = (inputs, stores, models, operation, serving, watching, base)


def page() -> str:
    """Every code, with the section of the runbook that explains it."""
    found = {code: row for module in _MODULES for code, row in _of_module(module).items()}
    return md.page(
        "Codes of errors, checks and alerts",
        "A message ends with its code; the section of the [runbook](../runbook.md) says what it"
        " means and what to do. A code is never given to another kind of failure.",
        "## Errors",
        md.table(["code", "what happened", "retried"], [found[code] for code in sorted(found)]),
        "## Checks",
        "A check that blocks stops the assets downstream; the others warn. Limits are [run"
        " configuration](run-configuration.md), and [all of them in one place](../checks.md).",
        md.table(
            ["check", "asset", "what must hold", "blocks"],
            [_of_check(spec) for each in CHECKS for spec in each.check_specs],
        ),
        "## Kinds of alerts",
        md.table(["kind"], [[_link(kind.value, kind.value)] for kind in Kind]),
    )


def _of_module(module: ModuleType) -> dict[str, list[str]]:
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, base.CreditCtError)
        and "code" in vars(each)
        and each.__module__ == module.__name__
    ]
    return {
        each.code: [
            _link(each.code, each.code.lower()),
            md.text(docstrings.summary(each)),
            "yes" if issubclass(each, base.UnavailableError) else "",
        ]
        for each in classes
    }


def _of_check(spec: dg.AssetCheckSpec) -> list[str]:
    return [
        _link(spec.name, check_code(spec.name).lower()),
        md.code(spec.asset_key.to_user_string()),
        md.text(spec.description or ""),
        "yes" if spec.blocking else "",
    ]


def _link(words: str, anchor: str) -> str:
    return f"[`{words}`](../runbook.md#{anchor})"
