"""Whether a model answers golden rows as the pipeline does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.scorer import ScorerRecord

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.scorer import Scorer

TOLERANCE = 1e-12
"""Probabilities that are not further apart are equal: JSON, and another machine's libraries."""

Answered = tuple[str, Mapping[str, float]]
"""The class of an answer, and its probabilities."""


def difference(golden: GoldenRows, answers: Sequence[Answered]) -> str | None:
    """How answers differ from those of the pipeline; None if they do not.

    Args:
        golden: The rows.
        answers: One per row, in the order of the rows.

    Returns:
        A clause that names the first row that differs by its index, and no value of any row.
    """
    if len(answers) != len(golden.rows):
        return f"it gave {len(answers)} answers to {len(golden.rows)} golden rows"
    found = [
        (place, problem)
        for place, (row, answer) in enumerate(zip(golden.rows, answers, strict=True))
        if (problem := _difference(row, *answer))
    ]
    if not found:
        return None
    place, problem = found[0]
    return (
        f"{len(found)} of {len(golden.rows)} golden rows get another answer than the pipeline's;"
        f" the first has index {place}, and gets {problem}"
    )


def difference_of(scorer: "Scorer", golden: GoldenRows) -> str | None:
    """The same of a scorer in this process, row by row as it serves."""
    answers: list[Answered] = []
    for place, row in enumerate(golden.rows):
        try:
            answer = scorer.score(row.features, reasons=False)
        # Whatever it is, the scorer cannot answer. Its text might quote a value.
        except Exception as error:  # noqa: BLE001
            return f"the golden row with index {place} cannot be scored ({type(error).__name__})"
        answers.append((answer.credit_score, answer.probabilities))
    return difference(golden, answers)


def typical_rows(scorer: "Scorer", data: ScorerRecord) -> GoldenRows:
    """Stand-ins for the golden rows of a package without any: its typical customers.

    Their answers are those of the scorer in this process, not of a pipeline. So a server that
    answers them as well shows that the package can be started, loaded and asked.
    """
    rows = []
    for name in data.classes:
        features = {each: data.typical[name].get(each) for each in data.features}
        answer = scorer.score(features, reasons=False)
        rows.append(
            GoldenRow(
                kind=f"typical {name}",
                features=features,
                credit_score=answer.credit_score,
                probabilities=answer.probabilities,
            )
        )
    return GoldenRows(rows=rows)


def _difference(row: GoldenRow, credit_score: str, probabilities: Mapping[str, float]) -> str:
    """What differs; empty if nothing does."""
    if credit_score != row.credit_score:
        return "another class"
    if list(probabilities) != list(row.probabilities):
        return "other classes than the pipeline knows"
    off = [abs(probabilities[name] - share) for name, share in row.probabilities.items()]
    if all(each <= TOLERANCE for each in off):  # a NaN is not
        return ""
    return f"a probability that is {max(off):.3g} away"
