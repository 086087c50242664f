"""The columns of the feature store, by the declaration of this process (DATA_SCHEMA).

The tables and SQL of the feature store, the rules for rows, the drift report, the sample rows, the
asset pages and the service's contract are derived from it. The declaration that is shipped with the
platform is `credit_score.yaml`, beside this file: to add a feature, add an item to its `features`.
The realistic sample values of a number belong to `sample_values.ADDED_MARGINALS`.
"""

from credit_ct_dagster.modeling import declaration
from credit_ct_dagster.modeling.column import LONGEST_TEXT, Column, Kind, Risk
from credit_ct_dagster.modeling.declaration import BASE_DATE

__all__ = ["BASE_DATE", "LONGEST_TEXT", "Column", "Kind", "Risk"]

DECLARED = declaration.declared()

MISSING_WORD = "missing"
"""Replaces an absent word: CatBoost refuses NULL in category and text columns."""

ID = DECLARED.keys.id.name
CUSTOMER = DECLARED.keys.customer.name
DATE = DECLARED.keys.date.name
KEY = [ID, CUSTOMER, DATE]
TARGET = DECLARED.target.name
CALLED = DECLARED.target.called
"""What a class is called in a sentence to a customer: the next better …"""
CLASSES = list(DECLARED.target.classes)
"""From worst to best."""
FAVOURABLE = CLASSES[-1]
"""The class that every customer would like to have."""
PROBABILITIES = {name: f"probability_{name.lower()}" for name in CLASSES}
"""The column of each class's probability, from worst to best."""
COSTS = [
    list(DECLARED.target.costs[true])
    if DECLARED.target.costs
    else [float(true != predicted) for predicted in range(len(CLASSES))]
    for true in range(len(CLASSES))
]
"""Of each kind of error: rows are true classes, columns predicted ones."""

_SOURCE_FEATURES = DECLARED.features
COLUMNS = {
    column.name: column
    for column in [
        Column(
            name=BASE_DATE, kind=Kind.key, description="The base date, YYYY-MM-DD", length=10
        ),
        *(key.column() for key in (DECLARED.keys.id, DECLARED.keys.customer, DECLARED.keys.date)),
        *_SOURCE_FEATURES,
        DECLARED.target.column(),
    ]
}  # fmt: skip


def _named(*kinds: Kind) -> list[str]:
    return [column.name for column in _SOURCE_FEATURES if column.kind in kinds]


PERSONAL = _named(Kind.personal)
NUMERIC = _named(Kind.number)
CATEGORICAL = _named(Kind.category)
TEXT = _named(Kind.text)
DIRECTED = [column.name for column in _SOURCE_FEATURES if column.risk]
"""The numbers with which a customer's risk rises or falls."""
WORDS = [*CATEGORICAL, *TEXT]
"""The features that are not numbers."""
SOURCE_FEATURES = _named(*Kind)
"""The feature columns of the source table, in its order."""
FEATURES = [name for name in SOURCE_FEATURES if name not in PERSONAL]
"""What a model is trained on, in the order it expects."""
GROUPED = [column.name for column in _SOURCE_FEATURES if column.is_grouped]
"""By which every model is measured separately, whether or not it is trained on them."""
GROUP_KINDS = " and ".join(COLUMNS[name].group_kind for name in GROUPED) or "group"
"""What these groups are called, in a sentence."""
PROTECTED = [column.name for column in _SOURCE_FEATURES if column.protected]
"""What the bank marks as protected, unless PROTECTED_FEATURES says otherwise."""

LABEL_COLUMNS = [*KEY, TARGET]
FEATURE_COLUMNS = [*KEY, *SOURCE_FEATURES]
MERGED_COLUMNS = [BASE_DATE, *KEY, *FEATURES, TARGET]

IN_SQL = {
    "labels_table": DECLARED.tables.labels,
    "features_table": DECLARED.tables.features,
    "training_table": DECLARED.tables.training_rows,
    "id_column": ID,
    "customer_column": CUSTOMER,
    "date_column": DATE,
    "target_column": TARGET,
}
"""What stands for the names of tables and columns in the statements of `sql`."""
