"""Faults planted in January's rows, and the outcome of a base date with each of them."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from benchmarks.faulty_rows import (
    DAYS_LATER,
    a_tenth,
    broken,
    dealt,
    delayed,
    leaked,
    shuffled,
    with_later_rows,
)
from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.sandbox import ProcessFailedError, Sandbox, sandbox
from benchmarks.windows import JANUARY_BASE_DT, Tables, january
from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.fairness import LEAST_RATIO
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_R = TypeVar("_R", bound=Record)
_COMMAND = Path(sys.executable).with_name("credit-ct")
_LATER_BASE_DT = "2025-02-03"
_WITHOUT_RESUME = {"tuned_runs": {"config": {"resume": False}}}
_ONE_SPLIT = {
    "tuned_runs": {"config": {"depth": [1], "iterations": 1, "pruning": "none"}},
    "champion_model": {"config": {"min_recall": 0.0, "min_slice_accuracy": 0.0}},
}
_ONE_CANDIDATE = {
    "tuned_runs": {"config": {"depth": [8], "rsm": [0.9], "l2_leaf_reg": [5.0], "iterations": 300}}
}
_ANY_SIZE = {"features_target_window_has_enough_rows": {"config": {"min_share": 0.0}}}
_ANY_SHARES = {"preprocessed_splits_splits_have_their_shares": {"config": {"max_deviation": 1.0}}}


@dataclass(frozen=True)
class Case:
    """A fault, and what came of it.

    Attributes:
        planted: The fault.
        expected: What the outcome has to contain.
        outcome: What happened.
    """

    planted: str
    expected: tuple[str, ...]
    outcome: str

    @property
    def detected(self) -> bool:
        """Whether it came as expected."""
        return all(each in self.outcome for each in self.expected)


def run(plan: Plan) -> Findings:
    """Plant each fault in a store of its own."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    rows = january(plan.january)
    cases = [case for plant in _PLANTS for case in plant(rows)]
    missed = [case.planted for case in cases if not case.detected]
    return Findings(
        tables={
            "Planted in January's rows": [
                {
                    "planted": case.planted,
                    "expected": "; ".join(case.expected),
                    "outcome": case.outcome,
                }
                for case in cases
            ]
        },
        failed=f"not as expected: {', '.join(missed)}" if missed else None,
    )


def _in_rows(rows: Tables) -> Iterator[Case]:
    for planted, expected, faulty in (
        ("1 % of the rows broken", "break a rule", broken(rows, 0.01)),
        ("5 % of the rows broken", "quarantine_is_within_limit", broken(rows, 0.05)),
        ("labels shuffled", "model_beats_baselines", shuffled(rows)),
    ):
        yield Case(planted, (expected,), _of_rows(faulty))


def _in_models(rows: Tables) -> Iterator[Case]:
    with _store(rows) as here:
        first = _outcome(here, JANUARY_BASE_DT)
        yield Case("none, and no champion yet", ("Promoted: there was no champion",), first)
        again = _outcome(here, JANUARY_BASE_DT, _WITHOUT_RESUME)
        yield Case("the same model again", ("insufficient evidence",), again)
        _replace(here, a_tenth(rows))
        few = "a challenger of a tenth of the training rows"
        tenth = _outcome(here, _LATER_BASE_DT, _ANY_SIZE)
        yield Case(few, ("splits_have_their_shares",), tenth)
        tenth = _outcome(here, _LATER_BASE_DT, _ANY_SIZE | _ANY_SHARES)
        yield Case(f"{few}, without that check", ("Not promoted",), tenth)
    with _store(rows) as here:
        _outcome(here, JANUARY_BASE_DT, _ONE_SPLIT)
        better = _outcome(here, _LATER_BASE_DT)
        yield Case(
            "a clearly better challenger (the champion is one tree of one split)",
            ("Promoted:",),
            better,
        )


def _in_time(rows: Tables) -> Iterator[Case]:
    """Features that were not known on the day of the label."""
    with _store(rows) as here:
        error = _run(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        without = error or _splits(here, JANUARY_BASE_DT).data_fingerprint
    with sandbox() as here:
        _fill_without_keys(here, with_later_rows(rows))
        error = _run(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        found = error or _splits(here, JANUARY_BASE_DT).data_fingerprint
        same = "the same rows as without" if found == without else f"other rows: {found}"
        yield Case(
            f"a second feature row for everyone, {DAYS_LATER} days after the label",
            ("the same rows as without",),
            same,
        )
    with _store(delayed(rows, 0.01)) as here:
        error = _run(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        used = None if error else sum(_splits(here, JANUARY_BASE_DT).rows.values())
        late = round(0.01 * len(rows[0]))
        yield Case(
            f"1 % of the feature rows dated {DAYS_LATER} days after their labels",
            (f"{len(rows[0]) - late:,} rows",),
            error or f"{used:,} rows are merged, {len(rows[0]) - (used or 0):,} labels are not",
        )
    with _store(delayed(rows, 0.1)) as here:
        outcome = _outcome(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        yield Case(
            f"10 % of the feature rows dated {DAYS_LATER} days after their labels",
            ("window_labels_are_merged", "none dated on or before"),
            outcome,
        )


def _in_groups(rows: Tables) -> Iterator[Case]:
    """A model that is fair because age and occupation were dealt out by lot."""
    with _store(dealt(rows)) as here:
        error = _run(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        yield Case(
            "age and occupation dealt out by lot, 30 occupations: a fair model with small groups",
            ("0 groups are flagged",),
            error or _flagged(here, JANUARY_BASE_DT),
        )


def _in_probabilities(rows: Tables) -> Iterator[Case]:
    """A champion that is far too sure, because its validation rows are copies of training rows."""
    with _store(leaked(rows)) as here:
        error = _run(here, JANUARY_BASE_DT, _ONE_CANDIDATE)
        _replace(here, rows)
        error = error or _run(here, _LATER_BASE_DT, _ONE_CANDIDATE)
        yield Case(
            "a champion that is worse only in its probabilities (validation rows copied from"
            " training rows)",
            ("Not promoted: insufficient evidence", "the champion's are worse"),
            error or _with_guard(here, _LATER_BASE_DT),
        )


_PLANTS: list[Callable[[Tables], Iterator[Case]]] = [
    _in_rows,
    _in_models,
    _in_time,
    _in_groups,
    _in_probabilities,
]


def _of_rows(tables: Tables) -> str:
    with _store(tables) as here:
        outcome = _outcome(here, JANUARY_BASE_DT)
        if "Error" in outcome:
            return outcome
        return f"{_splits(here, JANUARY_BASE_DT).quarantine.sentence} {outcome}"


@contextmanager
def _store(tables: Tables) -> Iterator[Sandbox]:
    """A sandbox with rows in its feature store."""
    with sandbox() as here:
        _replace(here, tables)
        yield here


def _replace(here: Sandbox, tables: Tables) -> None:
    """Replace the rows of the two source tables."""
    file = here.folder / "var" / "feature_store.db"
    file.unlink(missing_ok=True)
    labels, features = tables
    store = FeatureStore(url=f"sqlite:///{file}")
    store.upsert({"credit_score": labels, "credit_score_features": features})


def _fill_without_keys(here: Sandbox, tables: Tables) -> None:
    """Replace the source tables by ones without keys, as a bank's own may be."""
    engine = sa.create_engine(f"sqlite:///{here.folder / 'var' / 'feature_store.db'}")
    for name, frame in zip(("credit_score", "credit_score_features"), tables, strict=True):
        frame.to_sql(name, engine, if_exists="replace", index=False)
    engine.dispose()


def _outcome(here: Sandbox, base_dt: str, ops: dict[str, Any] | None = None) -> str:
    """Run a base date; returns its decision, or the error."""
    error = _run(here, base_dt, ops)
    return error or _read(here, DecisionRecord, f"models/*/{base_dt}").decision.sentence


def _run(here: Sandbox, base_dt: str, ops: dict[str, Any] | None = None) -> str:
    """Run a base date; returns the error, or nothing."""
    config = here.folder / "run.yaml"  # JSON is YAML
    config.write_text(json.dumps({"ops": ops or {}}))
    try:
        here.run(str(_COMMAND), "run", "--partition", base_dt, "--config", str(config))
    except ProcessFailedError as error:
        return str(error).strip().splitlines()[-1]
    return ""


def _splits(here: Sandbox, base_dt: str) -> SplitsSummary:
    return _read(here, SplitsSummary, f"preprocessing/*/{base_dt}")


def _with_guard(here: Sandbox, base_dt: str) -> str:
    """The decision, with what the guard of the probabilities says."""
    decision = _read(here, DecisionRecord, f"models/*/{base_dt}").decision
    found = decision.probabilities
    assert found
    return (
        f"{decision.sentence} Log-loss {found.challenger:.3f} against {found.champion:.3f}:"
        f" {found.verdict}"
    )


def _flagged(here: Sandbox, base_dt: str) -> str:
    """What the model card says about groups of customers."""
    fairness = _read(here, AssessmentReport, f"models/*/{base_dt}").fairness
    assert fairness
    low = [each for each in fairness.groups if each.ratio and each.ratio.value < LEAST_RATIO]
    return (
        f"{len(fairness.adverse)} groups are flagged; {len(low)} of {len(fairness.groups)} lie"
        f" below {LEAST_RATIO:g}, on {min(each.rows for each in low or fairness.groups)} rows and"
        " more"
    )


def _read(here: Sandbox, record: type[_R], folder: str) -> _R:
    """The record of a kind in a folder of the artifacts."""
    [path] = here.folder.glob(f"artifacts/{folder}/{record.FILE}")
    return record.from_json(path.read_bytes(), str(path))


GROUPS: dict[str, Callable[[Plan], Findings]] = {"planted_faults": run}
