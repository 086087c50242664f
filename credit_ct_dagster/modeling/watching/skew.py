"""How far the features that were served are from the feature store, and from training."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import betainc, betaincinv

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.serving_skew import (
    Agreement,
    FeatureSkew,
    Pattern,
    PatternFound,
    ServedDrift,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.design_effect import design_effect
from credit_ct_dagster.modeling.judging.drift import feature_drift
from credit_ct_dagster.modeling.watching.columns import SOURCE
from credit_ct_dagster.modeling.watching.number_patterns import number_difference
from credit_ct_dagster.modeling.watching.other_rows import OlderRows, with_stale_values
from credit_ct_dagster.modeling.watching.patterns import Difference
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster.modeling.watching.word_patterns import word_difference


def feature_skew(
    served: pd.DataFrame,
    stored: pd.DataFrame,
    customers: pd.Series,
    rules: SkewRules,
    taken: Collection[str] = tuple(schema.FEATURES),
    older: Sequence[pd.DataFrame] = (),
) -> list[FeatureSkew]:
    """Compare features as they were served with those of the feature store.

    That single precision, six digits or rounding to a fine digit changed a number is no
    disagreement. A share counts as too large only if it is improbable that the share of all
    requests is within the limit; the probability is divided among all features (Bonferroni).

    Args:
        served: What was given with each request, as JSON had it; columns `schema.FEATURES`.
        stored: The rows of the same customers, as the pipeline reads them, in the same order.
        customers: Whose each row is; several requests of one customer tell as much as one, if they
            are alike.
        rules: The limit and the confidence.
        taken: The features that the models take. Others may be served or not; a value that is
            missing in a request is none that disagrees.
        older: The rows of the store before these, those before them, and so on, of those requests
            that have one, by the index of `served`.

    Returns:
        The features that disagree first, and of these the one with the largest share; a feature
        that no request has is left out.
    """
    customer = pd.factorize(customers, use_na_sentinel=False)[0]
    differences = dict(_differences(served, stored, taken, OlderRows.of(served, older)))
    found = [
        _skew_of(name, difference, customer[rows], rules, len(differences))
        for name, (rows, difference) in differences.items()
    ]
    order = list(reversed(Agreement))
    return sorted(found, key=lambda each: (order.index(each.verdict), -each.share.value))


def with_later_rows(
    served: pd.DataFrame, stored: pd.DataFrame, later: pd.DataFrame, taken: Collection[str]
) -> pd.DataFrame:
    """The rows of the store, but later ones of requests that agree better with these.

    The ledger of arrivals sees a row up to an hour after it came: the caller may have had it.

    Args:
        served: As in `feature_skew`.
        stored: Likewise.
        later: The later rows, of those requests that have one, by the index of `served`.
        taken: As in `feature_skew`.
    """
    asked = served.loc[later.index]
    less = _disagreeing(asked, later, taken) < _disagreeing(asked, stored.loc[later.index], taken)
    if not less.any():
        return stored
    return pd.concat([stored.drop(later.index[less]), later[less]]).loc[served.index]


def served_drift(
    served: pd.DataFrame,
    trained: pd.DataFrame,
    rules: SkewRules,
    features: Sequence[str] = tuple(schema.FEATURES),
) -> dict[str, ServedDrift]:
    """How far served rows have moved away from those that a model was trained on, per source.

    Customers are compared, not requests: a caller who asks for one customer all day has not changed
    the population.

    Args:
        served: Columns `source`, `customer_id` (None where it is not known) and the features, raw.
        trained: Raw training rows of the model.
        rules: The significance, which is divided among the sources.
        features: Those that the model takes; the others of a row were perhaps not served at all.
    """
    sources = served[SOURCE].unique()
    return {
        str(source): _drift_of(
            served[served[SOURCE] == source],
            trained[[name for name in features if name in trained]],
            rules.drift_significance / len(sources),
        )
        for source in sorted(sources)
    }


def _drift_of(served: pd.DataFrame, trained: pd.DataFrame, significance: float) -> ServedDrift:
    customers = served[schema.CUSTOMER]
    rows = served[customers.isna() | ~customers.duplicated()]
    return ServedDrift(
        rows=len(rows), columns=feature_drift(trained, rows), significance=significance
    )


def _differences(
    served: pd.DataFrame,
    stored: pd.DataFrame,
    taken: Collection[str],
    older: Sequence[OlderRows] = (),
) -> Iterator[tuple[str, tuple[np.ndarray, Difference]]]:
    """Per feature, the places of the rows that were compared, and what was found."""
    numbers = {name: stored[name].to_numpy(dtype=np.float64) for name in schema.NUMERIC}
    for name in schema.FEATURES:
        given, ours, before = served[name], stored[name], older
        rows = np.arange(len(given))
        if name not in taken:
            rows = np.flatnonzero(given.notna())
            given, ours = given.iloc[rows], ours.iloc[rows]
            before = [each.only(rows) for each in older]
        if not len(rows):
            continue
        compare: Callable[[pd.Series, pd.Series], Difference]
        if name in numbers:
            others = {other: numbers[other][rows] for other in numbers if other != name}
            difference = number_difference(given, ours, others)
            compare = partial(number_difference, others={})
        else:
            words = {other: stored[other].iloc[rows] for other in schema.WORDS if other != name}
            lists = schema.COLUMNS[name].separator is not None
            difference = word_difference(given, ours, words, lists=lists)
            compare = partial(word_difference, others={}, lists=lists)
        yield name, (rows, with_stale_values(difference, name, given, before, compare))


def _disagreeing(served: pd.DataFrame, stored: pd.DataFrame, taken: Collection[str]) -> np.ndarray:
    """In how many features each request disagrees, shape (requests,)."""
    found = np.zeros(len(served), dtype=np.int64)
    for _, (rows, difference) in _differences(served, stored, taken):
        found[rows[difference.rows_but(set())]] += 1
    return found


def _skew_of(
    name: str, difference: Difference, customers: np.ndarray, rules: SkewRules, tests: int
) -> FeatureSkew:
    """How a feature compares, with the verdict.

    Args:
        name: Of the feature.
        difference: Which values disagree.
        customers: The number of each row's customer, shape (rows,).
        rules: The limit and the confidence.
        tests: How many features are compared.
    """
    every = _Counted.of(difference.rows_but(set()), customers)
    tolerated = rules.tolerated_patterns & {each.kind for each in difference.groups}
    counted = _Counted.of(difference.rows_but(tolerated), customers) if tolerated else every
    chance = min(1.0, tests * counted.chance(rules.max_disagreeing_share))
    if counted.share <= rules.max_disagreeing_share:
        verdict = Agreement.agrees
    elif counted.customers >= rules.min_customers and chance < 1 - rules.confidence:
        verdict = Agreement.disagrees
    else:
        verdict = Agreement.uncertain
    return FeatureSkew(
        feature=name,
        rows=len(customers),
        disagreeing=every.disagreeing,
        share=every.interval(rules.confidence),
        rounded=difference.rounded,
        tolerated=every.disagreeing - counted.disagreeing,
        customers=counted.customers,
        p_value=chance,
        verdict=verdict,
        patterns=_patterns(difference, every.disagreeing),
    )


@dataclass(frozen=True)
class _Counted:
    """How many values disagree.

    Attributes:
        disagreeing: How many.
        share: Of all values.
        customers: Of how many customers they are.
        effective: The number of values, divided by the design effect: how many values of as many
            customers tell as much (Korn and Graubard 1998; see `floors.p_value`).
    """

    disagreeing: int
    share: float
    customers: int
    effective: float

    @classmethod
    def of(cls, disagreeing: np.ndarray, customers: np.ndarray) -> Self:
        """Count the places of disagreeing values among all, of which each has a customer."""
        disagrees = np.zeros(len(customers), dtype=bool)
        disagrees[disagreeing] = True
        # The usual case; to sort 200,000 customers for each feature would take most of the time.
        is_simple = np.bincount(customers).max() == 1
        effect = 1.0 if is_simple else design_effect(disagrees, customers)
        return cls(
            disagreeing=len(disagreeing),
            share=float(disagrees.mean()),
            customers=int(np.count_nonzero(np.bincount(customers[disagrees]))),
            effective=len(customers) / effect,
        )

    def chance(self, limit: float) -> float:
        """Probability of as many, or more, if the share of all requests were the limit.

        The upper tail of the binomial distribution, P(X >= k), is the incomplete beta function at k
        and n - k + 1, and is continued by it to numbers that are not whole.
        """
        hits = self.effective * self.share
        return float(betainc(hits, self.effective - hits + 1, limit)) if hits else 1.0

    def interval(self, confidence: float) -> Estimate:
        """The share with its interval (Clopper and Pearson 1934)."""
        hits, misses = self.effective * self.share, self.effective * (1 - self.share)
        tail = (1 - confidence) / 2
        return Estimate(
            value=self.share,
            low=float(betaincinv(hits, misses + 1, tail)) if self.disagreeing else 0.0,
            high=float(betaincinv(hits + 1, misses, 1 - tail)) if self.share < 1 else 1.0,
        )


def _patterns(difference: Difference, disagreeing: int) -> list[PatternFound]:
    """The patterns of a feature, the most frequent one first."""
    rows: dict[tuple[Pattern, str, float | None], int] = {}
    for group in difference.groups:
        key = (group.kind, group.detail, group.factor)
        rows[key] = rows.get(key, 0) + len(group.rows)
    found = [
        PatternFound(kind=kind, rows=count, share=count / disagreeing, detail=detail, factor=factor)
        for (kind, detail, factor), count in rows.items()
    ]
    return sorted(found, key=lambda each: -each.rows)
