"""Pictures of a model, as PNG."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure

from credit_ct_dagster.modeling import schema


def confusion_matrix_png(counts: np.ndarray, title: str) -> bytes:
    """Draw true against predicted classes.

    Args:
        counts: Shape (3, 3), rows true and columns predicted, in the order of `schema.CLASSES`.
        title: What was measured.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
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
    figure = Figure(figsize=(6.4, 0.26 * len(names) + 0.8), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, [importances[name] for name in names], color="#4c72b0")
    axes.set(title="Feature importances", xlabel="% (PredictionValuesChange)")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
