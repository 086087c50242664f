"""The memory of loading large CSV files, as a ratio to their size."""

from collections.abc import Callable
from datetime import date

from benchmarks.measure import within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import sandbox
from benchmarks.windows import BASE_DT
from credit_ct_dagster.loading.sample_data import generate

_AT_MOST = 0.75
"""Of a file of 160 MB. Files are read in batches: the ratio falls with their size."""


def run(plan: Plan) -> Findings:
    """Write sample rows to files, load them, and compare the memory with the size of the files.

    The memory of the imports and of the connection is not counted: it does not depend on the file.
    """
    with sandbox() as here:
        labels, features = generate(plan.loaded_rows, date.fromisoformat(BASE_DT), seed=0)
        files = here.folder / "labels.csv", here.folder / "features.csv"
        labels.to_csv(files[0], index=False)
        features.to_csv(files[1], index=False)
        gib = sum(file.stat().st_size for file in files) / 2**30
        turn = here.measure(
            "benchmarks.loaded", "--labels", str(files[0]), "--features", str(files[1])
        )
    needed = turn.facts["peak_gib"] - turn.facts["before_gib"]
    found = within(
        f"memory of loading {plan.loaded_rows:,} rows, by file size", [needed / gib], _AT_MOST, "×"
    )
    found.notes.append(
        f"{gib * 1024:,.0f} MiB of files in {turn.seconds:.0f} s; the peak of the process was"
        f" {turn.facts['peak_gib'] * 1024:,.0f} MiB, {needed * 1024:,.0f} of them for the rows"
    )
    return Findings([found])


GROUPS: dict[str, Callable[[Plan], Findings]] = {"loading": run}
