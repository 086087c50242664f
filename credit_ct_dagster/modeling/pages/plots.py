"""Pictures of a model, as PNG; matplotlib is imported when one is drawn."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.tuning import best_of, completed_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_matrix_png(counts: np.ndarray, title: str) -> bytes:
    """Draw true against predicted classes.

    Args:
        counts: Shape (3, 3), rows true and columns predicted, in the order of `schema.CLASSES`.
        title: What was measured.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(4.6, 4.2)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), count in np.ndenumerate(counts):
        axes.text(
            predicted, true, f"{count}\n{shares[true, predicted]:.0%}", ha="center", va="center",
            color="white" if shares[true, predicted] > 0.5 else "black",
        )  # fmt: skip
    axes.set_xticks(range(len(schema.CLASSES)), schema.CLASSES)
    axes.set_yticks(range(len(schema.CLASSES)), schema.CLASSES)
    axes.set(title=title, xlabel="predicted", ylabel="true")
    return _png(figure)


def importances_png(importances: Mapping[str, float]) -> bytes:
    """Draw how much each feature moves the prediction, in percent, highest on top."""
    names = list(importances)[::-1]
    figure = _figure(6.4, 0.26 * len(names) + 0.8)
    axes = figure.add_subplot()
    axes.barh(names, [importances[name] for name in names], color="#4c72b0")
    axes.set(title="Feature importances", xlabel="% (PredictionValuesChange)")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def search_png(trials: Sequence[Trial], curves: Mapping[int, Sequence[float]]) -> bytes:
    """Draw a search: how each trial ended, and the validation loss of those that completed.

    Args:
        trials: All trials, in their order.
        curves: Per number of a completed trial, its validation loss after each tree.
    """
    figure = _figure(10, 4)
    per_trial, per_tree = figure.subplots(1, 2)
    best = best_of(trials)
    completed = completed_of(trials)
    per_trial.plot(
        [trial.number for trial in completed],
        [trial.metrics["accuracy"] for trial in completed],
        "o", color="#4c72b0", label=f"completed ({len(completed)})",
    )  # fmt: skip
    for state, mark, color in (
        (TrialState.pruned, "|", "#8c8c8c"), (TrialState.failed, "x", "#c44e52"),
    ):  # fmt: skip
        numbers = [trial.number for trial in trials if trial.state == state]
        if numbers:
            # Without an accuracy of their own: marked along the lower edge.
            per_trial.plot(
                numbers, [0.03] * len(numbers), mark, color=color,
                label=f"{state} ({len(numbers)})", transform=per_trial.get_xaxis_transform(),
            )  # fmt: skip
    if best:
        per_trial.plot(best.number, best.metrics["accuracy"], "*", color="#dd8452", markersize=15,
                       label=f"best, trial {best.number}")  # fmt: skip
    per_trial.set(title="Accuracy per trial, on validation", xlabel="trial", xmargin=0.04)
    per_trial.locator_params(axis="x", integer=True)
    per_trial.legend(fontsize="small")
    for number, curve in curves.items():
        is_best = best is not None and number == best.number
        per_tree.plot(
            range(1, len(curve) + 1), curve, linewidth=2 if is_best else 0.9,
            color="#dd8452" if is_best else "#4c72b0", alpha=1 if is_best else 0.5,
        )  # fmt: skip
    per_tree.set(title="Validation loss of completed trials", xlabel="trees", xscale="log")
    for axes in (per_trial, per_tree):
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
