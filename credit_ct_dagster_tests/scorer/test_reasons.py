"""Why a customer is not in the next better class."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.reasons import sentences
from credit_ct_dagster.scorer.reasons import Reasons, protected_features
from credit_ct_dagster.scorer.scorer import Scorer


@pytest.fixture(scope="module")
def answers(scorer: Scorer, rows: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Answers with reasons."""
    return scorer.answer_rows(rows["holdout"], reasons=True)


def test_the_best_class_needs_no_reason(answers: pd.DataFrame) -> None:
    """Poor and Standard get one to four reasons, the strongest first; Good gets none."""
    for answer, reasons in zip(answers["credit_score"], answers["reasons"], strict=True):
        if answer == "Good":
            assert reasons == ()
            continue
        contributions = [reason.contribution for reason in reasons]
        assert 1 <= len(reasons) <= 4
        assert min(contributions) > 0
        assert contributions == sorted(contributions, reverse=True)


def test_reasons_add_up_to_the_margin(scorer: Scorer, rows: Mapping[str, pd.DataFrame]) -> None:
    """What all features contribute, and the base value, are the margin between two classes."""
    from catboost import Pool

    raw = rows["holdout"].head(40)
    prepared = scorer._columns.of_frame(raw)
    pool = Pool(prepared, cat_features=schema.CATEGORICAL, text_features=schema.TEXT)
    shap = scorer.model.get_feature_importance(pool, type="ShapValues")[:, scorer._order]
    margins = scorer.margins(raw)
    assert (shap[:, 0] - shap[:, 1]).sum(axis=1) == pytest.approx(margins[:, 0] - margins[:, 1])


def test_the_first_reason_is_what_moved_the_customer(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame], answers: pd.DataFrame
) -> None:
    """With the better class's typical value in its place, the margin mostly becomes smaller."""
    raw = rows["holdout"]
    before = scorer.margins(raw)
    smaller = []
    for place, (answer, reasons) in enumerate(
        zip(answers["credit_score"], answers["reasons"], strict=True)
    ):
        if answer != "Poor":
            continue
        row = raw.iloc[[place]].copy()
        feature = reasons[0].feature
        better = rows["train"].loc[rows["train"][schema.TARGET] == "Standard", feature]
        row[feature] = better.median() if feature in schema.NUMERIC else better.mode().iloc[0]
        after = scorer.margins(row)[0]
        smaller.append(after[0] - after[1] < before[place, 0] - before[place, 1])
    assert len(smaller) > 30
    assert np.mean(smaller) >= 0.8


def test_a_protected_feature_is_marked_not_left_out() -> None:
    """A reason that rests on age is given like any other, and marked."""
    reasons = Reasons(
        ["age", "occupation"], ["Poor", "Good"], {"Good": {"age": 40.0, "occupation": "Lawyer"}},
        sentences(), ["age"],
    )  # fmt: skip
    shap = np.array([[2.0, 0.5, 0.0], [-2.0, 0.1, 0.0]])
    found = reasons.of({"age": 25.0, "occupation": "Writer"}, shap, 0)
    assert [(reason.feature, reason.direction, reason.protected) for reason in found] == [
        ("age", "lower", True),
        ("occupation", "other", False),
    ]
    assert protected_features(found) == ["age"]
    assert found[0].as_dict() == asdict(found[0])
    assert found[0].sentence == (
        "Age is lower than is typical of customers with the next better score."
    )
    assert found[0].contribution == pytest.approx(4.0)


def test_every_feature_has_its_sentences() -> None:
    """A feature of the schema has a sentence for each direction that a reason may have."""
    found = sentences()
    assert set(found) == set(schema.FEATURES)
    for name, of_feature in found.items():
        directions = {"other", "missing"}
        if name in schema.NUMERIC:
            directions |= {"higher", "lower"}
        assert set(of_feature) == directions
        assert all(sentence.endswith(".") for sentence in of_feature.values())
