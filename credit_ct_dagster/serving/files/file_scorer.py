"""A file of customers in, their predictions out: in groups of rows, with the memory of one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING

from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.errors.inputs import RefusedRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.files.customer_files import (
    CsvCustomers,
    CustomerFile,
    CustomerRow,
    Format,
)
from credit_ct_dagster.serving.files.json_lines_files import JsonLinesCustomers
from credit_ct_dagster.serving.files.parquet_files import ParquetCustomers
from credit_ct_dagster.serving.files.prediction_files import Predictions, predictions

# CatBoost and pandas take seconds to import.
if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from credit_ct_dagster.scorer.scorer import Scorer

_BATCH_ROWS = 5_000
_MOST_RULES = 5
"""So many rules are named in a summary, the most broken first."""


@dataclass
class Scoring:
    """What came of the rows of a file.

    Attributes:
        scored: Rows with a prediction.
        refused: Rows without.
        per_rule: How many rows break each rule; a row may break several.
        unseen: How many rows hold a word that training did not have, by feature.
    """

    scored: int = 0
    refused: int = 0
    per_rule: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)

    def rules(self) -> str:
        """The rules that are broken, with their rows; it quotes no value of a row."""
        most = self.per_rule.most_common(_MOST_RULES)
        text = "; ".join(f"{rule} ({rows:,} rows)" for rule, rows in most)
        others = len(self.per_rule) - len(most)
        return f"{text}; {others} more rules" if others else text


def customer_file(
    format_: Format, name: str, stream: IO[bytes], features: Sequence[str], separator: str
) -> CustomerFile:
    """Open a file of customers.

    Args:
        format_: Of the file.
        name: The file, for a person.
        stream: Its content.
        features: The columns that the model takes.
        separator: Of the cells of a CSV file.

    Raises:
        FileError: The file cannot be read, or lacks a column.
    """
    if format_ == Format.csv:
        return CsvCustomers(name, stream, features, separator)
    if format_ == Format.jsonl:
        return JsonLinesCustomers(name, stream, features)
    return ParquetCustomers(name, stream, features)


class FileScorer:
    """Scores files with one model."""

    def __init__(self, scorer: "Scorer", contract: RowContract, reasons: bool = False) -> None:
        """Combine a model with its contract.

        Args:
            scorer: The model.
            contract: Which rows it takes.
            reasons: Whether predictions have reasons.
        """
        self._scorer = scorer
        self._contract = contract
        self._reasons = reasons

    @property
    def answers(self) -> list[str]:
        """The columns of an answer."""
        return [schema.TARGET, *(f"probability_{name.lower()}" for name in self._scorer.classes)]

    def predictions(self, format_: Format, stream: IO[bytes], of: CustomerFile) -> Predictions:
        """A file for the predictions of customers."""
        key_types: Mapping[str, pa.DataType] = (
            of.key_types if isinstance(of, ParquetCustomers) else {}
        )
        return predictions(format_, stream, [*of.keys, *self.answers], self._reasons, key_types)

    def score(
        self,
        given: CustomerFile,
        written: Predictions,
        refused: Callable[[int, str], None],
        skip: bool,
    ) -> Scoring:
        """Write the predictions of a file's customers, in their order.

        Args:
            given: The file.
            written: Where the predictions go.
            refused: Is called with the line and the rules of each row that cannot be scored.
            skip: Whether such rows are left out. Otherwise nothing is written after the group of
                rows with the first of them, and the others are only checked.

        Raises:
            RefusedRowsError: Rows cannot be scored, and are not left out; or no row can be scored.
            FileError: The file cannot be read to its end.
        """
        scoring = Scoring()
        rows = given.rows()
        while group := list(islice(rows, _BATCH_ROWS)):
            accepted = [row for row in group if self._accepts(row, given, refused, scoring)]
            if accepted and (skip or not scoring.refused):
                self._write(accepted, given.keys, written)
                scoring.scored += len(accepted)
        if scoring.refused and not (skip and scoring.scored):
            raise RefusedRowsError(
                f"{scoring.refused:,} rows of {given.name} cannot be scored:"
                f" {scoring.rules()}. Correct them"
                + (", or leave them out with --bad-rows skip." if not skip else ".")
            )
        written.close()
        return scoring

    def _accepts(
        self,
        row: CustomerRow,
        given: CustomerFile,
        refused: Callable[[int, str], None],
        scoring: Scoring,
    ) -> bool:
        problems = (
            [row.problem]
            if row.problem
            else [
                f"{each.field} {given.wording.get(each.rule, each.rule)}".strip()
                for each in self._contract.problems(row.features)
            ]
        )
        if problems:
            scoring.refused += 1
            scoring.per_rule.update(problems)
            refused(row.line, "; ".join(problems))
            return False
        scoring.unseen.update(each.field for each in self._contract.warnings(row.features))
        return True

    def _write(
        self, rows: Sequence[CustomerRow], keys: Sequence[str], written: Predictions
    ) -> None:
        found = self._scorer.answer_rows(_frame([row.features for row in rows]), self._reasons)
        found = found.rename(columns={CLASS_COLUMN: schema.TARGET})
        of_keys = zip(*(row.keys for row in rows), strict=True) if keys else ()
        written.write(
            dict(zip(keys, map(list, of_keys), strict=True)),
            {name: found[name].tolist() for name in self.answers},
            found["reasons"].tolist() if self._reasons else [],
        )


def _frame(rows: Sequence[Mapping[str, float | str | None]]) -> "pd.DataFrame":
    """Features as the scorer takes them, of one type per column whatever a group holds."""
    import numpy as np
    import pandas as pd

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return pd.DataFrame(
        {
            name: np.array(values, dtype=np.float64)
            if name in schema.NUMERIC
            else pd.Series(values, dtype=object)
            for name, values in columns.items()
        }
    )
