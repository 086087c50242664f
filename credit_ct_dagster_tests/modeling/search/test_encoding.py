"""Which columns CatBoost is given, as the training rows decide."""

import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.encoding import ModelColumns, rows_with_others
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster_tests.modeling.conftest import training_data

_LOANS = "type_of_loan"


def test_native_texts_are_columns_as_they_are(splits: dict[str, pd.DataFrame]) -> None:
    """CatBoost splits them, as in the bank's own pipeline."""
    columns = ModelColumns.of(splits["train"], schema.FEATURES, Text.native)
    assert columns.encoding.columns == schema.FEATURES
    assert (columns.categories, columns.texts) == (schema.CATEGORICAL, schema.TEXT)


def test_only_kinds_of_training_rows_have_a_column(splits: dict[str, pd.DataFrame]) -> None:
    """All others count as one; a text without kinds is a category."""
    texts = ["Payday Loan and auto loan", "yacht loan", "missing", "auto loan,auto loan"]
    train = splits["train"].head(4).assign(type_of_loan=texts)
    columns = ModelColumns.of(train, schema.FEATURES, Text.counts)
    assert columns.encoding.counted[_LOANS].counted == ["auto loan", "payday loan"]
    assert columns.categories == [*schema.CATEGORICAL, "payment_behaviour"]
    assert columns.texts == []
    table = columns.encoding.of_frame(train)[[f"{_LOANS}: {name}" for name in
                                              ("auto loan", "payday loan", "other")]]  # fmt: skip
    assert table.to_numpy().tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0], [2, 0, 0]]


@pytest.mark.parametrize("text", Text)
def test_a_search_without_texts_has_none(splits: dict[str, pd.DataFrame], text: Text) -> None:
    """A bank may exclude them."""
    features = [name for name in schema.FEATURES if name not in schema.TEXT]
    columns = ModelColumns.of(splits["train"], features, text)
    assert columns.encoding.columns == features
    assert (columns.categories, columns.texts) == (schema.CATEGORICAL, [])


def test_rows_with_kinds_that_count_as_other_are_counted(splits: dict[str, pd.DataFrame]) -> None:
    """A bank that renames a kind sees how many rows that concerns; no word is quoted."""
    small = {name: rows.head(60) for name, rows in splits.items()}
    small["train"] = small["train"].assign(
        type_of_loan=["auto loan", "payday loan", "yacht loan", "missing"] * 15
    )
    small["val"] = small["val"].assign(type_of_loan=["student loan", "auto loan, payday loan"] * 30)
    small["holdout"] = small["holdout"].assign(type_of_loan="missing")
    params = {"iterations": 3, "loss_function": "MultiClassOneVsAll"}
    counted = fit(training_data(small["train"], small["val"], text=Text.counts), params, 3, 1)
    assert rows_with_others(counted, small) == {"train": 15, "val": 30, "holdout": 0}
    native = fit(training_data(small["train"], small["val"], text=Text.native), params, 3, 1)
    assert rows_with_others(native, small) == {}
