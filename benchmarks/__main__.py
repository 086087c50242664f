"""`make bench`: every comparison, as tables and as JSON."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from benchmarks import (
    backfills,
    base_date,
    batch_scores,
    chance,
    class_rules,
    dask_machines,
    feature_store,
    growth,
    history,
    loading,
    monitoring,
    planted_faults,
    presets,
    probation,
    promotion,
    pruning,
    pruning_rules,
    reasons,
    serving,
    soak,
    text_encoding,
    tuning,
    validation,
    year,
)
from benchmarks.plan import Plan
from benchmarks.report import Findings, merge_into, show
from benchmarks.sandbox import ProcessFailedError

_GROUPS = {
    **feature_store.GROUPS,
    **tuning.GROUPS,
    **base_date.GROUPS,
    **dask_machines.GROUPS,
    **growth.GROUPS,
    **history.GROUPS,
    **loading.GROUPS,
    **pruning.GROUPS,
    **pruning_rules.GROUPS,
    **presets.GROUPS,
    **text_encoding.GROUPS,
    **promotion.GROUPS,
    **probation.GROUPS,
    **planted_faults.GROUPS,
    **serving.GROUPS,
    **soak.GROUPS,
    **batch_scores.GROUPS,
    **backfills.GROUPS,
    **chance.GROUPS,
    **reasons.GROUPS,
    **class_rules.GROUPS,
    **validation.GROUPS,
    **monitoring.GROUPS,
    **year.GROUPS,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(_GROUPS)))
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Repetitions of each comparison.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="benchmarks.json",
    show_default=True,
    help="File for the measurements; a group replaces its earlier result.",
)
@click.option(
    "--january",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="JANUARY_DIR",
    show_envvar=True,
    help="Folder of January's credit_score.csv and credit_score_features.csv.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    default="docs/images/cost_by_rows.svg",
    show_default=True,
    help="File for the chart of `rows`, PNG or SVG.",
)
@click.option(
    "--seed",
    "seeds",
    type=int,
    multiple=True,
    default=(1, 2, 3),
    show_default=True,
    help="Seed of a window for `pruning`, `presets`, `monotone` and `text_encoding`, and of a year"
    " for `year`; may be given several times.",
)
@click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps the models of `promotion`, so that they are fitted only once.",
)
@click.option(
    "--years",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps each year of `year`: seeds can run in processes of their own, and be"
    " shown together afterwards. Delete a file to live its year again.",
)
@click.option(
    "--whole-search",
    is_flag=True,
    help="Search all candidates on the largest windows of `rows` as well, not only one.",
)
@click.option("--smoke", is_flag=True, help="Use tiny sizes, to test that everything runs.")
def main(
    names: tuple[str, ...],
    pairs: int,
    json_path: Path,
    january: Path | None,
    plot: Path,
    seeds: tuple[int, ...],
    models: Path | None,
    years: Path | None,
    whole_search: bool,
    smoke: bool,
) -> None:
    """Measure the groups NAMES, or all; exits 1 when a target is missed.

    With --smoke, targets are not enforced.
    """
    plan = replace(
        (Plan.smoke if smoke else Plan)(pairs, january, plot, seeds),
        models=models,
        years=years,
        whole_search=whole_search,
    )
    found = {}
    for name in names or _GROUPS:
        click.echo(f"{name} …", err=True)
        try:
            found[name] = _GROUPS[name](plan)
        except ProcessFailedError as error:  # hours of other measurements may follow
            found[name] = Findings(failed=str(error))
        merge_into(json_path, name, found[name], plan.conditions())
    met = show(found)
    finished = not any(findings.failed for findings in found.values())
    sys.exit(0 if met or (smoke and finished) else 1)


main()
