"""The evidence for reasons: what happens to the margin when the first one no longer holds."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Comparison, at_least
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.windows import Window, read_splits
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import calibrate
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, record_of
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.scorer.reasons import Reason
from credit_ct_dagster.scorer.scorer import Scorer

AT_LEAST = 0.80
_TIE = 1e-9
_PROTECTED = ["age"]  # the feature that banks mark most often
_CENTRE = {"depth": [8], "rsm": [0.9], "l2_leaf_reg": [5.0]}
"""Of the bank's grid: one fit, whose quality is that of the search within a point."""


def run(plan: Plan) -> Findings:
    """Replace the first reason's feature by the better class's typical value, row by row.

    January, if its rows are given, and a sample window for each seed. The rows are those of the
    holdout, which the model has not seen; those in the best class have no reasons.
    """
    rows, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        makers: list[Callable[[], Window]] = [
            partial(Window.sample, plan.window_rows, seed, Path(folder) / f"seed{seed}")
            for seed in plan.seeds
        ]
        if plan.january:
            makers.insert(0, partial(Window.january, plan.january, Path(folder) / "january"))
        for make in makers:
            window = make()
            scorer, record, holdout = fitted(window, plan)
            replaced = Replaced.of(scorer, record, holdout)
            rows.append({"window": window.name, **replaced.row()})
            rows += [
                {"window": f"  {name}", **replaced.within(number).row()}
                for number, name in enumerate(schema.CLASSES[:-1])
            ]
            found.append(_judged(window.name, replaced))
    return Findings(found, {"The first reason's feature replaced by the typical value": rows})


def fitted(window: Window, plan: Plan) -> tuple[Scorer, ScorerRecord, pd.DataFrame]:
    """One model of a window as the pipeline makes it, what its scorer knows, and holdout rows."""
    splits = read_splits(window.folder)
    scalers = fit_scalers(splits["train"])
    train, val = (prepare(splits[name], scalers) for name in ("train", "val"))
    parameters = TuningParameters(**plan.parameters | _CENTRE)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")
    [params] = parameters.candidates()
    data = TrainingData.of(train, val, schema.FEATURES, text=parameters.text)
    model = fit(data, {**params, **fixed}, patience, thread_count=-1)
    calibrated = calibrate(model, val).model
    record = scorer_record(
        model=model,
        scales=record_of(scalers).columns,
        calibrated=calibrated.calibrated,
        train=splits["train"],
        limits={},
        protected=_PROTECTED,
    )
    return Scorer(model, record.model_dump(mode="json")), record, splits["holdout"]


@dataclass(frozen=True)
class Replaced:
    """Rows with reasons, and their margins with features replaced.

    A margin is the raw value of the row's class minus that of the next better one, in log-odds.

    Attributes:
        number: Of the class of each row, 0 for the worst.
        first: Its first reason.
        before: Its margin.
        after: The margin with the first reason's feature replaced.
        after_all: With the features of all its reasons replaced.
        after_other: With another feature replaced, drawn at random: what a replacement does that
            no reason asks for.
    """

    number: "np.ndarray[Any, Any]"
    first: Sequence[Reason]
    before: "np.ndarray[Any, Any]"
    after: "np.ndarray[Any, Any]"
    after_all: "np.ndarray[Any, Any]"
    after_other: "np.ndarray[Any, Any]"

    @classmethod
    def of(cls, scorer: Scorer, record: ScorerRecord, rows: pd.DataFrame) -> "Replaced":
        """Score rows, replace features, and score again."""
        answers = scorer.answer_rows(rows, reasons=True)
        has_reasons = answers["reasons"].map(len) > 0
        rows, answers = rows[has_reasons.to_numpy()], answers[has_reasons.to_numpy()]
        number = answers["credit_score"].map(scorer.classes.index).to_numpy()
        named = [[reason.feature for reason in reasons] for reasons in answers["reasons"]]
        rng = np.random.default_rng(0)
        others = [
            [rng.choice([name for name in scorer.columns if name not in features])]
            for features in named
        ]

        def margins(features: Sequence[Sequence[str]]) -> "np.ndarray[Any, Any]":
            changed = rows[scorer.columns].astype(object).reset_index(drop=True)
            for place, names in enumerate(features):
                typical = record.typical[scorer.classes[number[place] + 1]]
                for name in names:
                    changed.loc[place, name] = typical[name]
            return scorer.margins(changed.infer_objects())[np.arange(len(number)), number]

        return cls(
            number,
            [reasons[0] for reasons in answers["reasons"]],
            margins([[] for _ in named]),
            margins([names[:1] for names in named]),
            margins(named),
            margins(others),
        )

    def within(self, number: int) -> "Replaced":
        """Only the rows of a class."""
        chosen = self.number == number
        first = [each for each, is_chosen in zip(self.first, chosen, strict=True) if is_chosen]
        arrays = (self.before, self.after, self.after_all, self.after_other)
        return Replaced(self.number[chosen], first, *(values[chosen] for values in arrays))

    @property
    def lowered(self) -> float:
        """The share of rows whose margin the first reason's replacement lowers."""
        return _share_lowered(self.before, self.after)

    def row(self) -> dict[str, Any]:
        """The results, as a row of a table."""
        low, high = wilson(self.lowered, len(self.before))
        return {
            "rows": len(self.before),
            "margin falls": self.lowered,
            "95 %": f"{low:.3f} to {high:.3f}",
            "all reasons": _share_lowered(self.before, self.after_all),
            "another feature": _share_lowered(self.before, self.after_other),
            "mean change": float((self.after - self.before).mean()),
            "protected first": float(np.mean([reason.protected for reason in self.first])),
            "most frequent first reasons": _most_frequent(self.first),
        }


def _share_lowered(before: "np.ndarray[Any, Any]", after: "np.ndarray[Any, Any]") -> float:
    return float((after < before - _TIE).mean())


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return middle - z * spread, middle + z * spread


def _most_frequent(first: Sequence[Reason]) -> str:
    shares = pd.Series([reason.feature for reason in first]).value_counts(normalize=True).head(3)
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _judged(name: str, replaced: Replaced) -> Comparison:
    low, high = wilson(replaced.lowered, len(replaced.before))
    found = at_least(
        f"rows whose margin falls without the first reason, {name}",
        [100 * replaced.lowered],
        100 * AT_LEAST,
        "%",
    )
    found.notes.append(f"95 % interval {low:.1%} to {high:.1%}, {len(replaced.before):,} rows")
    return found


GROUPS: dict[str, Callable[[Plan], Findings]] = {"reasons": run}
