"""`credit-ct doctor`: whether everything the platform depends on works."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from credit_ct_dagster.cli.console import console, hanging
from credit_ct_dagster.cli.options import examples
from credit_ct_dagster.cli.service import service_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.runs.instance import configured_instance

if TYPE_CHECKING:  # MLflow takes seconds to import, which --help does not need
    from credit_ct_dagster.operations.doctor import Finding

_MESSAGE_FROM = 32
_COLOURS = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


@click.command("doctor", epilog=examples("credit-ct doctor"))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(as_json: bool) -> None:
    """Check everything the platform depends on.

    Databases, stores, rights, disk space, Dagster and the champion. The exit code is 1 if a check
    fails.
    """
    from credit_ct_dagster.definitions import build
    from credit_ct_dagster.operations.doctor import Examination, Instigator, State

    wiring = wired()
    repository = build(wiring.settings).get_repository_def()
    instigators: list[Instigator] = [*repository.schedule_defs, *repository.sensor_defs]
    # One that is off by its definition, as that of pruning may be, need not be on.
    optional = [each for each in instigators if each.default_status.value != "RUNNING"]
    examination = Examination(
        store=wiring.feature_store,
        studies=wiring.study_storage,
        promotions=wiring.promotions,
        instance=configured_instance,
        service=service_of(wiring),
        excluded_features=wiring.policy.excluded_features,
        instigators=[each for each in instigators if each not in optional],
        optional=optional,
    )
    findings = list(_shown(examination.findings(), silently=as_json))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    sys.exit(int(any(finding.state == State.failed for finding in findings)))


def _shown(findings: Iterable["Finding"], *, silently: bool) -> Iterable["Finding"]:
    """Print each finding as soon as it is made."""
    for finding in findings:
        if not silently:
            console.print(f"{finding.state:<7}", style=_COLOURS[finding.state], end="  ")
            message = hanging(finding.message, _MESSAGE_FROM)
            console.print(f"{finding.subject:<21}  {message}", markup=False)
        yield finding
