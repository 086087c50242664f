"""Faults planted in January's rows, and the outcome of a base date with each of them."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.sandbox import ProcessFailedError, Sandbox, sandbox
from benchmarks.windows import JANUARY_BASE_DT, TRAIN_SHARE, Tables, january
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import customer_position
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_R = TypeVar("_R", bound=Record)
_COMMAND = Path(sys.executable).with_name("credit-ct")
_LATER_BASE_DT = "2025-02-03"
_WITHOUT_RESUME = {"tuned_runs": {"config": {"resume": False}}}
_ONE_SPLIT = {
    "tuned_runs": {"config": {"depth": [1], "iterations": 1, "pruning": "none"}},
    "champion_model": {"config": {"min_recall": 0.0, "min_slice_accuracy": 0.0}},
}
_ANY_SIZE = {"features_target_window_has_enough_rows": {"config": {"min_share": 0.0}}}


def run(plan: Plan) -> Findings:
    """Plant each fault in a store of its own."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    rows = january(plan.january)
    outcomes = [
        ("1 % of the rows broken", "break a rule", _of_rows(_broken(rows, 0.01))),
        ("5 % of the rows broken", "quarantine_is_within_limit", _of_rows(_broken(rows, 0.05))),
        ("labels shuffled", "model_beats_baselines", _of_rows(_shuffled(rows))),
    ]
    with _store(rows) as here:
        first = _outcome(here, JANUARY_BASE_DT)
        again = _outcome(here, JANUARY_BASE_DT, _WITHOUT_RESUME)
        _replace(here, _a_tenth(rows))
        tenth = _outcome(here, _LATER_BASE_DT, _ANY_SIZE)
    with _store(rows) as here:
        _outcome(here, JANUARY_BASE_DT, _ONE_SPLIT)
        better = _outcome(here, _LATER_BASE_DT)
    outcomes += [
        ("none, and no champion yet", "Promoted: there was no champion", first),
        ("the same model again", "insufficient evidence", again),
        ("a challenger of a tenth of the training rows", "Not promoted", tenth),
        (
            "a clearly better challenger (the champion is one tree of one split)",
            "Promoted:",
            better,
        ),
    ]
    missed = [fault for fault, expected, outcome in outcomes if expected not in outcome]
    return Findings(
        tables={
            "Planted in January's rows": [
                {"planted": fault, "expected": expected, "outcome": outcome}
                for fault, expected, outcome in outcomes
            ]
        },
        failed=f"not detected: {', '.join(missed)}" if missed else None,
    )


def _of_rows(tables: Tables) -> str:
    with _store(tables) as here:
        outcome = _outcome(here, JANUARY_BASE_DT)
        if "Error" in outcome:
            return outcome
        summary = _read(here, SplitsSummary, f"preprocessing/*/{JANUARY_BASE_DT}")
        return f"{summary.quarantine.sentence} {outcome}"


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


def _outcome(here: Sandbox, base_dt: str, ops: dict[str, Any] | None = None) -> str:
    """Run a base date; returns its decision, or the error."""
    config = here.folder / "run.yaml"  # JSON is YAML
    config.write_text(json.dumps({"ops": ops or {}}))
    try:
        here.run(str(_COMMAND), "run", "--partition", base_dt, "--config", str(config))
    except ProcessFailedError as error:
        return str(error).strip().splitlines()[-1]
    return _read(here, DecisionRecord, f"models/*/{base_dt}").decision.sentence


def _read(here: Sandbox, record: type[_R], folder: str) -> _R:
    """The record of a kind in a folder of the artifacts."""
    [path] = here.folder.glob(f"artifacts/{folder}/{record.FILE}")
    return record.from_json(path.read_bytes(), str(path))


def _broken(tables: Tables, share: float) -> Tables:
    """Break three rules in turn."""
    labels, features = tables
    features = features.copy()
    rows = np.random.default_rng(0).choice(len(features), round(share * len(features)), False)
    features.loc[rows[::3], "age"] = -500
    features.loc[rows[1::3], "credit_mix"] = "_"
    features.loc[rows[2::3], "interest_rate"] = 5797
    return labels, features


def _shuffled(tables: Tables) -> Tables:
    labels, features = tables
    drawn = np.random.default_rng(0).permutation(labels[schema.TARGET])
    return labels.assign(**{schema.TARGET: drawn}), features


def _a_tenth(tables: Tables) -> Tables:
    """A tenth of the customers of the training split, and all others."""
    labels, features = tables
    position = customer_position(labels[schema.CUSTOMER])
    return labels[~position.between(TRAIN_SHARE / 10, TRAIN_SHARE, inclusive="left")], features


GROUPS: dict[str, Callable[[Plan], Findings]] = {"planted_faults": run}
