"""Features as they were served, compared with those of the store and of training."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binom

from credit_ct_dagster.contracts.drift import SOME, Verdict
from credit_ct_dagster.contracts.serving_skew import Agreement, Pattern, ServedDrift
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.skew import feature_skew, served_drift
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster_tests.modeling.watching.skewed import as_json, changed, compared

_AGREES, _UNCERTAIN, _DISAGREES = Agreement


def test_what_was_served_as_it_is_stored_agrees(raw_rows: pd.DataFrame) -> None:
    """Every feature is compared; missing on both sides is no disagreement."""
    found = compared(as_json(raw_rows), raw_rows)
    assert set(found) == set(schema.FEATURES)
    assert all(each.verdict == _AGREES and each.disagreeing == 0 for each in found.values())
    assert all(each.share.value == 0 and each.p_value == 1 for each in found.values())
    assert all(each.rows == len(raw_rows) and not each.patterns for each in found.values())


def test_the_planted_faults_of_serving_are_found(raw_rows: pd.DataFrame) -> None:
    """Lower-cased words, years for months, a reversed list; single precision is no fault."""
    served = as_json(raw_rows).assign(
        occupation=raw_rows["occupation"].str.lower(),
        credit_history_age=raw_rows["credit_history_age"] / 12,
        type_of_loan=raw_rows["type_of_loan"].map(
            lambda text: ",".join(reversed(text.split(","))), na_action="ignore"
        ),
    )
    singles = [name for name in schema.NUMERIC if name != "credit_history_age"]
    served[singles] = raw_rows[singles].astype("float32")
    found = feature_skew(
        served,
        raw_rows[schema.FEATURES],
        raw_rows[schema.CUSTOMER],
        SkewRules(),
    )
    kinds = {
        each.feature: [(pattern.kind, pattern.detail, pattern.share) for pattern in each.patterns]
        for each in found
        if each.verdict != _AGREES
    }
    assert kinds == {
        "occupation": [(Pattern.spelling, "", 1.0)],
        "credit_history_age": [(Pattern.unit, "/ 12", 1.0)],
        "type_of_loan": [(Pattern.order, "", 1.0)],
    }
    assert [each.verdict for each in found[:4]] == [_DISAGREES, _DISAGREES, _DISAGREES, _AGREES]
    assert all(each.disagreeing == 0 for each in found[3:])
    assert next(each for each in found if each.feature == "monthly_balance").rounded > 1_000


def test_a_share_is_tested_against_the_limit_exactly(raw_rows: pd.DataFrame) -> None:
    """The tail of the binomial distribution, adjusted for all features; Clopper and Pearson."""
    rows = raw_rows.dropna(subset=["age"]).iloc[:1000]
    for count, verdict in ((10, _AGREES), (20, _UNCERTAIN), (30, _DISAGREES)):
        served = as_json(rows)
        served.iloc[:count, served.columns.get_loc("age")] += 7
        found = compared(served, rows)["age"]
        chance = len(schema.FEATURES) * binom.sf(count - 1, 1000, 0.01)
        assert found.p_value == pytest.approx(min(1.0, chance))
        assert found.share.value == pytest.approx(count / 1000)
        assert found.share.low == pytest.approx(beta.ppf(0.005, count, 1001 - count))
        assert found.share.high == pytest.approx(beta.ppf(0.995, count + 1, 1000 - count))
        assert (found.verdict, found.customers) == (verdict, count)


@pytest.mark.parametrize("rows", [1, 4, 30])
def test_odd_values_of_few_customers_are_never_a_failure(raw_rows: pd.DataFrame, rows: int) -> None:
    """Four of four disagree, or four of thirty: too few rows to say."""
    few = raw_rows.dropna(subset=["age"]).iloc[:rows]
    served = as_json(few)
    served.iloc[:4, served.columns.get_loc("age")] = 99
    found = compared(served, few)["age"]
    assert found.verdict == _UNCERTAIN
    assert found.share.value == min(4, rows) / rows
    five = raw_rows.dropna(subset=["age"]).iloc[:5]
    assert compared(as_json(five).assign(age=99), five)["age"].verdict == _DISAGREES


def test_many_requests_of_one_customer_tell_as_much_as_one(raw_rows: pd.DataFrame) -> None:
    """A caller who repeats a wrong row all day does not make it a fault of the feed."""
    stored = raw_rows.dropna(subset=["age"]).iloc[[0] * 300 + list(range(1, 701))]
    served = as_json(stored)
    served.iloc[:300, served.columns.get_loc("age")] = 99
    repeated = pd.Series([0] * 300 + list(range(1, 701)), index=stored.index)
    found = compared(served, stored, repeated)["age"]
    assert (found.verdict, found.customers, found.share.value) == (_UNCERTAIN, 1, 0.3)
    assert found.share.high > 0.8
    own = pd.Series(range(1000), index=stored.index)
    assert compared(served, stored, own)["age"].verdict == _DISAGREES


def test_equal_shares_are_taken_for_skew_as_rarely_as_configured(raw_rows: pd.DataFrame) -> None:
    """A feed that lies exactly at the limit, in every feature: no failure in a dozen days."""
    rng = np.random.default_rng(0)
    stored = raw_rows.dropna().iloc[:600]
    other = as_json(stored.sample(frac=1, random_state=0)).set_axis(stored.index)
    failures = 0
    for _ in range(12):
        served = as_json(stored)
        served = served.where(rng.random(served.shape) >= 0.01, other)
        failures += any(each.verdict == _DISAGREES for each in compared(served, stored).values())
    assert failures == 0


def test_tolerated_patterns_do_not_count(raw_rows: pd.DataFrame) -> None:
    """They are still reported, with their share."""
    served = changed(raw_rows, "type_of_loan", lambda texts: texts.map(_reversed))
    found = compared(served, raw_rows, tolerated=["order"])["type_of_loan"]
    assert found.verdict == _AGREES
    assert found.tolerated == found.disagreeing > 500
    assert found.share.value == found.disagreeing / len(raw_rows)
    assert (found.p_value, found.customers) == (1.0, 0)
    assert compared(served, raw_rows)["type_of_loan"].verdict == _DISAGREES
    with pytest.raises(ValueError, match="sorting: not a pattern, of number_as_text"):
        SkewRules(tolerated=["order", "sorting"])


def _reversed(text: str | None) -> str | None:
    return ",".join(reversed(text.split(","))) if text else text


def test_features_that_not_all_models_take_are_no_missing_values(raw_rows: pd.DataFrame) -> None:
    """Of such a feature only what was served is compared; one that nobody served is left out."""
    served = as_json(raw_rows).assign(age=None)
    served.iloc[200:, served.columns.get_loc("occupation")] = None
    served.iloc[:200, served.columns.get_loc("occupation")] = "Juggler"
    taken = [name for name in schema.FEATURES if name not in ("age", "occupation")]
    stored, customers = raw_rows[schema.FEATURES], raw_rows[schema.CUSTOMER]
    found = {
        each.feature: each for each in feature_skew(served, stored, customers, SkewRules(), taken)
    }
    assert set(found) == set(schema.FEATURES) - {"age"}
    assert (found["occupation"].rows, found["occupation"].disagreeing) == (200, 200)
    assert compared(served, raw_rows)["age"].patterns[0].kind == Pattern.missing_when_served


def test_no_rows_say_nothing(raw_rows: pd.DataFrame) -> None:
    """A day on which no request could be compared has no features."""
    assert compared(as_json(raw_rows.iloc[:0]), raw_rows.iloc[:0]) == {}


def test_several_callers_with_several_units(raw_rows: pd.DataFrame) -> None:
    """Each unit is found with its share, and what neither explains is other."""
    served = changed(raw_rows, "annual_income", lambda values: values / 12, 0.5, seed=1)
    rest = served["annual_income"] == raw_rows["annual_income"]
    chosen = np.flatnonzero(rest)[:600]
    column = served["annual_income"].copy()
    column.iloc[chosen] *= 1000
    served["annual_income"] = column
    by_detail = {
        each.detail: each.rows for each in compared(served, raw_rows)["annual_income"].patterns
    }
    assert by_detail["* 1,000"] == 600
    assert by_detail["/ 12"] == pytest.approx(1_000, abs=80)
    assert set(by_detail) == {"* 1,000", "/ 12"}


def _served(rows: pd.DataFrame, source: str = "request") -> pd.DataFrame:
    return rows[[schema.CUSTOMER, *schema.FEATURES]].assign(source=source)


def test_served_rows_of_the_same_population_have_not_drifted(raw_rows: pd.DataFrame) -> None:
    """140 rows against 280: a high PSI may be chance, and is on most days."""
    rng = np.random.default_rng(0)
    uncertain = 0
    for _ in range(10):
        order = rng.permutation(len(raw_rows))
        served, trained = raw_rows.iloc[order[:140]], raw_rows.iloc[order[140:420]]
        [drift] = served_drift(_served(served), trained, SkewRules()).values()
        assert drift.drifted == []
        uncertain += any(each.verdict == Verdict.uncertain for each in drift.columns)
    assert uncertain > 5


def test_a_feature_that_moved_is_found_per_source(raw_rows: pd.DataFrame) -> None:
    """Requests and batch are compared by themselves, and share the significance."""
    requests = raw_rows.iloc[:500].assign(annual_income=lambda rows: rows["annual_income"] * 3)
    served = pd.concat([_served(requests), _served(raw_rows.iloc[500:1500], "batch")])
    found = served_drift(served, raw_rows, SkewRules())
    assert list(found) == ["batch", "request"]
    assert [each.column for each in found["request"].drifted] == ["annual_income"]
    assert found["batch"].drifted == []
    assert found["request"].significance == pytest.approx(0.0005)
    missing = requests.assign(annual_income=raw_rows["annual_income"], monthly_balance=np.nan)
    [alone] = served_drift(_served(missing), raw_rows, SkewRules()).values()
    assert [each.column for each in alone.drifted] == ["monthly_balance"]


def test_a_million_rows_that_moved_a_little_have_not_drifted() -> None:
    """Significant beyond doubt, and below the threshold of the PSI: nothing to act on."""
    rng = np.random.default_rng(0)
    trained = pd.DataFrame({"age": rng.integers(18, 70, 20_000).astype("float64")})
    ages = rng.integers(18, 70, 1_000_000).astype("float64")
    served = pd.DataFrame({"source": "batch", "customer_id": np.arange(len(ages)), "age": ages + 1})
    [drift] = served_drift(served, trained, SkewRules(), ["age"]).values()
    [age] = drift.columns
    assert age.p_value is not None
    assert age.p_value < 1e-6
    assert 0 < age.psi < SOME
    assert drift.drifted == []
    [much] = served_drift(served.assign(age=ages + 15), trained, SkewRules(), ["age"]).values()
    assert [each.column for each in much.drifted] == ["age"]
    assert much.rows == 1_000_000


def test_customers_are_compared_with_training_and_not_requests(raw_rows: pd.DataFrame) -> None:
    """One who is scored all day has not changed the population; strangers count each."""
    served = _served(raw_rows.drop_duplicates(schema.CUSTOMER).iloc[:300])
    features = ["age", "annual_income", "credit_mix"]
    repeated = served.iloc[[*range(300), *[0] * 5000]]
    [drift] = served_drift(repeated, raw_rows, SkewRules(), features).values()
    assert (drift.rows, drift.drifted) == (300, [])
    [strangers] = served_drift(repeated.assign(customer_id=None), raw_rows, SkewRules()).values()
    assert strangers.rows == 5300
    assert strangers.drifted


def test_features_that_the_champion_does_not_take_do_not_drift(raw_rows: pd.DataFrame) -> None:
    """They were perhaps not served at all."""
    served = _served(raw_rows.iloc[:500]).assign(age=np.nan)
    features = [name for name in schema.FEATURES if name != "age"]
    [drift] = served_drift(served, raw_rows, SkewRules(), features).values()
    assert drift.drifted == []
    assert {each.column for each in drift.columns} == set(features)


def test_a_day_is_one_of_many() -> None:
    """A p-value that would be drift in one report is none on a day: it happens once a month."""
    rows = pd.DataFrame({"age": [*range(20, 60)] * 5})
    moved = rows.iloc[:60].assign(source="request", customer_id=None)
    [drift] = served_drift(moved, rows, SkewRules(), ["age"]).values()
    [age] = drift.columns
    between = age.model_copy(update={"psi": 0.3, "p_value": 0.01, "verdict": Verdict.much})
    day = ServedDrift(rows=60, columns=[between], significance=0.001)
    assert day.drifted == []
    certain = between.model_copy(update={"p_value": 0.0001})
    assert day.model_copy(update={"columns": [certain]}).drifted == [certain]
