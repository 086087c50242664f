"""The script inside a package, by which MLflow and BentoML load it where no platform is installed.

Nothing imports it: MLflow executes it, from the folder of the package.
"""

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class CreditScore(PythonModel):
    """Classes and calibrated probabilities of raw rows."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the scorer from the package, with the code inside of it."""
        folder = Path(context.artifacts["scorer"])
        code = _package(folder / "code")
        self._scorer = importlib.import_module(f"{code}.scorer").Scorer.open(folder)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """The class and the probabilities per row.

        Args:
            context: Of MLflow.
            model_input: Raw rows; None, NaN and blank words are missing.
            params: None exist.

        Raises:
            ValueError: A column is absent, or holds a value of another kind.
        """
        # Not turned into MLflow's own class: its server quotes the rows in errors of that class.
        return self._scorer.answer_rows(model_input)


def _package(folder: Path) -> str:
    """Import a folder of code under a name that no other module of this process has.

    So an installed platform is not shadowed, and packages of several releases can be loaded.
    """
    name = f"_credit_score_{uuid4().hex}"
    spec = spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = package = module_from_spec(spec)
    spec.loader.exec_module(package)
    return name


set_model(CreditScore())
