"""Why a customer is not in the next better class."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.reasons import sentences
from credit_ct_dagster.modeling.answers.scorer_data import frequent_word, typical_values
from credit_ct_dagster.scorer.contributions import Contributions
from credit_ct_dagster.scorer.encoded import parts_of
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


def test_contributions_add_up_to_the_margin(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame]
) -> None:
    """Those of all features are what a customer's margin differs by from the typical one's."""
    raw = rows["holdout"].head(40)
    for number, better in enumerate(["Standard", "Good"]):
        of_class = rows["train"][rows["train"][schema.TARGET] == better]
        typical = pd.DataFrame([_typical(of_class, scorer)])
        difference = scorer.margins(raw)[:, number] - scorer.margins(typical)[0, number]
        found = scorer.contributions(raw, number).sum(axis=1)
        assert found == pytest.approx(difference, abs=1e-12)


def test_many_rows_have_the_contributions_of_each() -> None:
    """To the last bit: of all rows together, by one prediction per order, and in blocks."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "debt": rng.choice([1.0, 2.5, np.nan], 2_000),
            "kind": rng.choice(list("ab"), 2_000),
            "rate": 0.5,
        }
    )
    asked = []

    def margins(given: Any, number: int) -> Any:
        table = pd.DataFrame(given, columns=rows.columns)
        asked.append(len(table))
        debt = table["debt"].astype(float).fillna(7.0).to_numpy()
        return debt * np.where(table["kind"] == "a", 3.0, -0.1) + number

    orders = [[0, 1, 2], [2, 1, 0]]
    typical: list[float | str] = [1.0, "a", 0.5]
    found = Contributions(margins, orders).of_rows(rows, typical, 1)
    assert len(asked) == 1 + len(orders)
    each = [Contributions(margins, orders).of_row(row, typical, 1) for row in rows.values.tolist()]
    assert found.tolist() == [of_row.tolist() for of_row in each]
    many = pd.concat([rows] * 20, ignore_index=True)
    assert np.array_equal(
        Contributions(margins, orders).of_rows(many, typical, 1), np.tile(found, (20, 1))
    )


def test_a_contribution_is_credited_to_the_feature_that_has_the_effect() -> None:
    """CatBoost 1.2.10 credits the effect of categories to texts; only predictions count here."""
    rng = np.random.default_rng(0)
    words = ["red", "green", "blue", "black"]
    prepared = pd.DataFrame(
        {
            "kind": rng.choice(list("abcde"), 1_000),
            "text": [" ".join(rng.choice(words, 3)) for _ in range(1_000)],
        }
    )
    classes = np.where(prepared["kind"].isin(["a", "b"]), "Poor", "Good")
    model = CatBoostClassifier(
        iterations=20, depth=3, verbose=False, random_seed=0, allow_writing_files=False,
        loss_function="MultiClassOneVsAll",
    ).fit(prepared, classes, cat_features=["kind"], text_features=["text"])  # fmt: skip
    poor = list(model.classes_).index("Poor")

    def margins(rows: Any, _number: int) -> Any:
        raw = model.predict(rows, prediction_type="RawFormulaVal")
        return raw[:, poor] - raw[:, 1 - poor]

    found = Contributions(margins, [[0, 1], [1, 0]]).of_rows(prepared, ["e", "red red red"], 0)
    kind, text = np.abs(found).mean(axis=0)
    assert kind > 20 * text


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
        better = rows["train"][rows["train"][schema.TARGET] == "Standard"]
        row[feature] = _typical(better, scorer)[feature]
        smaller.append(scorer.margins(row)[0, 0] < before[place, 0])
    assert len(smaller) > 30
    assert np.mean(smaller) >= 0.8


def test_a_protected_feature_is_marked_not_left_out() -> None:
    """A reason that rests on age is given like any other, and marked."""
    reasons = Reasons(
        ["age", "occupation"], ["age", "occupation"], [[], [40.0, "Lawyer"]], sentences(), ["age"],
    )  # fmt: skip
    found = reasons.of([25.0, "Writer"], np.array([4.0, 0.4]), 0)
    assert [(reason.feature, reason.direction, reason.protected) for reason in found] == [
        ("age", "lower", True),
        ("occupation", "other", False),
    ]
    assert protected_features(found) == ["age"]
    assert found[0].as_dict() == asdict(found[0])
    assert found[0].sentence == (
        "Age is lower than is usual for customers with the next better score."
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


def test_a_clerk_can_say_the_sentences() -> None:
    """Each has a subject and a verb that agree, whatever the feature is called."""
    found, together = sentences(), "against a better score, when all details are taken together."
    said = {
        "payment_of_min_amount": f"The record of minimum payments speaks {together}",
        "total_emi_per_month": f"The monthly instalments on loans speak {together}",
    }
    assert {name: found[name]["other"] for name in said} == said
    assert found["total_emi_per_month"]["missing"] == (
        "The monthly instalments on loans are not known."
    )


def _typical(rows: pd.DataFrame, scorer: Scorer) -> dict[str, Any]:
    _, encoding = parts_of(scorer.model)
    typical: dict[str, Any] = {
        name: rows[name].median() if name in schema.NUMERIC else frequent_word(rows[name])
        for name in schema.FEATURES
    }
    return typical | typical_values(rows, list(encoding.counted), encoding.counted)
