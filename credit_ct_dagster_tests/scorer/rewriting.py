"""The file of a model, read and written again in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from credit_ct_dagster.scorer.ordinal import Model

AGAIN = "again.cbm"
"""The file that was written last."""

_PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from credit_ct_dagster.scorer.ordinal import load_model

source, target, rows, answers = map(Path, sys.argv[1:])
load_model(source).save_model(str(target))
load_model(target.read_bytes()).save_model(str(target))
found = load_model(target).predict_proba(pd.read_parquet(rows))
pd.DataFrame(found).to_parquet(answers)
"""


def answers_of_rewritten(model: Model, rows: pd.DataFrame, folder: Path) -> np.ndarray:
    """The probabilities of a model whose file was read and written twice.

    Args:
        model: Is saved.
        rows: To predict.
        folder: Has the file `AGAIN` afterwards.
    """
    model.save_model(str(folder / "model.cbm"))
    rows.to_parquet(folder / "rows.parquet")
    files = ["model.cbm", AGAIN, "rows.parquet", "answers.parquet"]
    subprocess.run(
        [sys.executable, "-c", _PROGRAM, *(str(folder / name) for name in files)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return pd.read_parquet(folder / "answers.parquet").to_numpy()
