"""Holdout windows of two models before and after a drift, by how much one is truly better in each.

`python -m credit_ct_dagster_tests.modeling.judging.drifted` prints how often the gate promotes, the
table of docs/decisions/0029-contradicting-windows.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Decision
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evidence import compare, examine
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.scorer.scorer import Scored

_PREVALENCE = {"Poor": 0.29, "Standard": 0.53, "Good": 0.18}
"""Of the classes, roughly as in the sample data."""
_BOTH_RIGHT = 0.62
CHAMPION = ModelIdentity(
    base_dt="2025-03-01",
    mlflow_run_id="m",
    dagster_run_id="d",
    data_fingerprint="f",
    registered_version="7",
)


@dataclass(frozen=True)
class Windows:
    """Two models in several windows, the newest first.

    Attributes:
        better: By how much the challenger's accuracy is truly higher, per window.
        sizes: Rows per window.
        one_right: Share of rows on which only one of the two is right.
        again: Share of the customers of a window who have a row, and the same answers where the
            models compare alike, in the windows before it as well.
    """

    better: Sequence[float]
    sizes: Sequence[int] = (390, 390, 390)
    one_right: float = 0.1
    again: float = 0.0

    def drawn(self, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
        """Rows, the window of each, and what challenger and champion answer."""
        rng = np.random.default_rng(seed)
        windows = np.repeat(np.arange(len(self.sizes)), self.sizes)
        place = np.concatenate([np.arange(size) for size in self.sizes])
        luck, returns = rng.random((2, len(windows))), rng.random(max(self.sizes)) < self.again
        alike = rng.random((2, max(self.sizes)))
        luck = np.where(returns[place], alike[:, place], luck)
        better = np.asarray(self.better)[windows]
        ours = (self.one_right + better) / 2
        both = luck[0] < _BOTH_RIGHT
        one = ~both & (luck[0] < _BOTH_RIGHT + self.one_right)
        first = luck[1] < ours / self.one_right
        names = np.array(list(_PREVALENCE))
        truth = rng.choice(3, len(windows), p=list(_PREVALENCE.values()))
        wrong = names[(truth + rng.integers(1, 3, len(windows))) % 3]
        challenger = np.where(both | (one & first), names[truth], wrong)
        champion = np.where(both | (one & ~first), names[truth], wrong)
        customer = np.where(returns[place], place, max(self.sizes) * (1 + windows) + place)
        rows = pd.DataFrame(
            {
                schema.TARGET: names[truth],
                schema.CUSTOMER: customer.astype(str),
                "age": 40.0,
                "occupation": "Writer",
            }
        )
        return rows, windows, challenger, champion

    def decided(self, seed: int, rules: GateRules) -> Decision:
        """What the gate decides."""
        rows, windows, *classes = self.drawn(seed)
        evidence = examine(rows, scored(*classes), Utility(), rules, windows=windows)
        return decide("2025-03-10", CHAMPION, evidence, [], rules)

    def promotes(self, seed: int, rules: GateRules) -> tuple[bool, bool, bool]:
        """Whether windows contradict, and whether the gate and one that always pools promote."""
        decision = self.decided(seed, rules)
        if decision.windows is None or not decision.windows.contradict:
            return False, decision.promoted, decision.promoted
        rows, _, challenger, champion = self.drawn(seed)
        pooled = compare(rows, challenger, champion, Utility(), rules)
        return True, decision.promoted, pooled.difference.low > 0


def scored(*models: np.ndarray) -> list[Scored]:
    """Answers with these classes, and the same probabilities for each."""
    alike = np.full((len(models[0]), 3), 1 / 3)
    return [Scored(each, alike, alike) for each in models]


_EQUAL = {
    "equal always": Windows([0, 0, 0]),
    "equal always; only one is right on 20 % of the rows": Windows([0, 0, 0], one_right=0.2),
    "equal always; half of the customers return": Windows([0, 0, 0], one_right=0.2, again=0.5),
    "equal always; windows of 130 rows": Windows([0, 0, 0], (130, 130, 130), one_right=0.2),
    "equal now, worse by 3 before": Windows([0, -0.03, -0.03], one_right=0.33),
    "equal now, worse by 10 before": Windows([0, -0.1, -0.1], one_right=0.33),
}
"""Truly not better in any window: promotions are false."""
_OTHERS = {
    "equal now, better by 5 before": Windows([0, 0.05, 0.05], one_right=0.33),
    "equal now, better by 10 before": Windows([0, 0.1, 0.1], one_right=0.33),
    "worse by 5 now, better by 10 before": Windows([-0.05, 0.1, 0.1], one_right=0.33),
    "better by 5 now, worse by 10 before": Windows([0.05, -0.1, -0.1], one_right=0.33),
    "better by 10 now, worse by 10 before": Windows([0.1, -0.1, -0.1], one_right=0.33),
    "better by 15 now, worse by 10 before": Windows([0.15, -0.1, -0.1], one_right=0.33),
    "the same; windows of 661 rows": Windows([0.15, -0.1, -0.1], (661, 661, 661), one_right=0.33),
    "better by 15 in two windows, worse by 10 before": Windows([0.15, 0.15, -0.1], one_right=0.33),
    "better by 2 always": Windows([0.02, 0.02, 0.02]),
    "better by 3 always": Windows([0.03, 0.03, 0.03]),
    "better by 5 always": Windows([0.05, 0.05, 0.05]),
}


def _print_rates(studied: Mapping[str, Windows], samples: int) -> None:
    """What is promoted, in per cent of samples; the accuracy of groups is left out."""
    rules = GateRules(draws=300, min_slice_rows=10**6)
    for name, windows in studied.items():
        found = np.mean([windows.promotes(seed, rules) for seed in range(samples)], axis=0)
        rates = " | ".join(f"{100 * rate:.1f}" for rate in found)
        print(f"| {name} | {rates} |", flush=True)  # noqa: T201 - the table of the decision


if __name__ == "__main__":
    _print_rates(_OTHERS, 200)
    _print_rates(_EQUAL, 1000)
