"""One object from raw rows to answers, for one row and for many."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.contracts.utility import RuleData, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import METHODS
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import record_of
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY
from credit_ct_dagster.scorer.scorer import DATA_FILE, MODEL_FILE, Answer, Scorer
from credit_ct_dagster.scorer.values import UnusableValuesError
from credit_ct_dagster_tests.scorer.conftest import Pipeline

NUMBERS = st.one_of(
    st.none(),
    st.floats(-1e12, 1e12, allow_nan=False),
    st.integers(-(10**9), 10**9),
    st.just(float("nan")),
)
WORDS = st.one_of(
    st.none(), st.just(" "), st.just("Good\r"), st.sampled_from(["Bad", "Yes", "auto loan, x"]),
    st.text(max_size=12),
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {name: NUMBERS if name in schema.NUMERIC else WORDS for name in schema.FEATURES}
)


@pytest.mark.parametrize("method", METHODS)
def test_a_scorer_answers_as_the_pipeline_does_to_the_last_bit(
    method: str, pipelines: Mapping[str, Pipeline], rows: Mapping[str, pd.DataFrame]
) -> None:
    """Stored centres, scales and calibrations give what scikit-learn's objects give."""
    pipeline = pipelines[method]
    raw = rows["holdout"].copy()
    raw.loc[raw.index[::3], schema.NUMERIC[:5]] = None
    raw.loc[raw.index[::4], schema.WORDS] = None
    raw.loc[raw.index[::5], "occupation"] = "astronaut"
    classes, probabilities = pipeline.predicted(raw)
    scored = pipeline.scorer().score_rows(raw)
    assert (scored.classes == classes).all()
    assert (scored.probabilities == probabilities).all()
    assert scored.probabilities.sum(axis=1) == pytest.approx(np.ones(len(raw)), abs=1e-12)


@settings(max_examples=40)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_a_row_alone_gets_the_answer_that_it_gets_in_a_frame(
    scorer: Scorer, found: list[dict[str, Any]]
) -> None:
    """One row without pandas, and many with it: class, probabilities and reasons are equal."""
    together = scorer.answer_rows(pd.DataFrame(found, dtype=object), reasons=True)
    for row, (_, of_frame) in zip(found, together.iterrows(), strict=True):
        alone = scorer.score(row)
        assert alone.credit_score == of_frame["credit_score"]
        assert alone.probabilities == {
            name: of_frame[f"probability_{name.lower()}"] for name in schema.CLASSES
        }
        assert alone.reasons == of_frame["reasons"]


def test_frames_are_taken_as_people_have_them(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame]
) -> None:
    """Whole numbers, pandas' own types, empty columns and database decimals change no answer."""
    raw = rows["holdout"].head(50).copy()
    raw["type_of_loan"] = None
    raw["age"] = raw["age"].round()
    expected = scorer.answer_rows(raw)
    same = raw.assign(
        age=raw["age"].astype(int),
        num_of_loan=raw["num_of_loan"].astype("Int64"),
        annual_income=raw["annual_income"].map(lambda value: Decimal(repr(value))),
        occupation=raw["occupation"].astype("category"),
        credit_mix=raw["credit_mix"].astype("string"),
        type_of_loan=np.nan,
        ssn="never read",
    )
    pd.testing.assert_frame_equal(scorer.answer_rows(same[same.columns[::-1]]), expected)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"age": "33"}, "age holds something else than numbers"),
        ({"age": True}, "age holds something else than numbers"),
        ({"age": float("inf")}, "age holds a number that is not finite"),
        ({"age": 10**400}, "age holds a number that is not finite"),
        ({"occupation": 7}, "occupation holds something else than words"),
        ({"occupation": ["Lawyer"]}, "occupation holds something else than words"),
    ],
)
def test_values_of_another_kind_are_refused_by_column(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame], changes: dict[str, Any], named: str
) -> None:
    """CatBoost would parse a text as a number, and score infinity as if it were one."""
    row = rows["holdout"].iloc[0].to_dict() | changes
    with pytest.raises(UnusableValuesError, match=named):
        scorer.score(row)
    with pytest.raises(UnusableValuesError, match=named):
        scorer.score_rows(pd.DataFrame([row], dtype=object))


def test_absent_columns_are_refused_by_name(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame]
) -> None:
    """A column that is not there is no missing value; one that is there twice is ambiguous."""
    raw = rows["holdout"].drop(columns=["age", "credit_mix"])
    with pytest.raises(UnusableValuesError, match="no column age, credit_mix"):
        scorer.score_rows(raw)
    with pytest.raises(UnusableValuesError, match="no column age, credit_mix"):
        scorer.score(raw.iloc[0].to_dict())
    twice = pd.concat([rows["holdout"], rows["holdout"][["age"]]], axis=1)
    with pytest.raises(UnusableValuesError, match="several columns age"):
        scorer.score_rows(twice)


@pytest.mark.parametrize(
    "gains",
    [
        [[1.3, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.9]],
        [[0.0, -2.0, -5.0], [-1.0, 0.0, -1.0], [-2.0, -1.0, 0.0]],
    ],
)
def test_the_class_of_the_highest_expected_utility_is_that_of_a_row_alone(
    gains: list[list[float]],
    pipelines: Mapping[str, Pipeline],
    rows: Mapping[str, pd.DataFrame],
) -> None:
    """Weights and costs, in a frame and row by row, as numpy's own product of matrices has it."""
    pipeline = pipelines["sigmoid"]
    record = scorer_record(
        model=pipeline.model.model,
        scales=record_of(pipeline.scalers).columns,
        calibrated=pipeline.model.calibrated,
        train=pipeline.train,
        limits={},
        rule=RuleData(rule=EXPECTED_UTILITY, gains=gains),
        utility=Utility(),
    )
    scorer = Scorer(pipeline.model.model, record.model_dump(mode="json"))
    raw = rows["val"].head(80)
    scored = scorer.score_rows(raw)
    expected = (scored.probabilities @ np.array(gains)).argmax(axis=1)
    assert scored.classes.tolist() == [schema.CLASSES[number] for number in expected]
    assert (expected != scored.scores.argmax(axis=1)).any()
    answers = [scorer.score(row, reasons=False) for row in raw.to_dict("records")]
    assert [answer.credit_score for answer in answers] == scored.classes.tolist()
    assert [list(answer.probabilities.values()) for answer in answers] == (
        scored.probabilities.tolist()
    )


def test_no_rows_get_no_answers(scorer: Scorer, rows: Mapping[str, pd.DataFrame]) -> None:
    """CatBoost refuses an empty frame; a day without customers is none of its business."""
    answers = scorer.answer_rows(rows["holdout"].head(0), reasons=True)
    assert list(answers.columns)[:2] == ["credit_score", "probability_poor"]
    assert answers.empty


def test_an_answer_says_whether_its_class_is_the_most_probable_one(
    scorer: Scorer, rows: Mapping[str, pd.DataFrame]
) -> None:
    """Calibration may put another class first than the one that the gate judged."""
    answers = [scorer.score(row, reasons=False) for row in rows["val"].to_dict("records")]

    def most_probable(answer: Answer) -> bool:
        highest = max(answer.probabilities.values())
        return answer.probabilities[answer.credit_score] == highest

    assert {answer.is_most_probable for answer in answers} == {True, False}
    for answer in answers:
        assert most_probable(answer) or not answer.is_most_probable


def test_a_scorer_is_read_from_its_folder(
    tmp_path: Path, pipelines: Mapping[str, Pipeline], rows: Mapping[str, pd.DataFrame]
) -> None:
    """Two files are all it needs; data of a later release are refused."""
    pipeline = pipelines["sigmoid"]
    record = scorer_record(
        model=pipeline.model.model,
        scales=record_of(pipeline.scalers).columns,
        calibrated=pipeline.model.calibrated,
        train=pipeline.train,
        limits={},
    )
    pipeline.model.model.save_model(str(tmp_path / MODEL_FILE))
    (tmp_path / DATA_FILE).write_bytes(record.to_json())
    pd.testing.assert_frame_equal(
        Scorer.open(tmp_path).answer_rows(rows["val"]), pipeline.scorer().answer_rows(rows["val"])
    )
    # Version 1 had neither gains nor a utility: its class is that of the highest score.
    first = {
        name: value
        for name, value in json.loads(record.to_json()).items()
        if name not in ("gains", "utility")
    } | {"version": 1}
    read = ScorerRecord.from_json(json.dumps(first).encode(), DATA_FILE)
    assert (read.class_rule, read.gains, read.utility) == ("highest_score", (), None)
    (tmp_path / DATA_FILE).write_text(json.dumps(first))
    pd.testing.assert_frame_equal(
        Scorer.open(tmp_path).answer_rows(rows["val"]), pipeline.scorer().answer_rows(rows["val"])
    )
    newer = json.loads(record.to_json()) | {"version": 4}
    (tmp_path / DATA_FILE).write_text(json.dumps(newer))
    with pytest.raises(ValueError, match="newer than this code"):
        Scorer.open(tmp_path)
