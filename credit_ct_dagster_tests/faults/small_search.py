"""The code location with a small search: schedules and sensors start runs with the defaults."""

from credit_ct_dagster.modeling.search.search_space import Pruning, TuningParameters

_SMALL = {
    "depth": [3, 4],
    "rsm": [1.0],
    "l2_leaf_reg": [3.0],
    "iterations": 12,
    "early_stopping_rounds": 5,
    "pruning": Pruning.none,
}
for name, value in _SMALL.items():
    TuningParameters.model_fields[name].default = value
TuningParameters.model_rebuild(force=True)

from credit_ct_dagster.definitions import defs as defs  # noqa: E402 reads the defaults
