"""Whether there are fewer answers than usual, by more than chance and the day of the week."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling.watching.volume import collapse_of
from credit_ct_dagster_tests.modeling.watching.watched_days import DAY, before

_WEEKS = 5
_COUNTS = st.integers(min_value=0, max_value=5_000)


def _poisson(mean: float, seed: int, days: int = 7 * _WEEKS) -> dict[str, int]:
    generator = np.random.default_rng(seed)
    return {before(n): int(generator.poisson(mean)) for n in range(1, days + 1)}


def _is_collapse(rows: int, volumes: Mapping[str, int]) -> bool:
    """By the rules as they are by default."""
    found = collapse_of(DAY, rows, volumes)
    return found is not None and found.share < 0.5 and found.p_value < 0.001


def test_half_of_the_usual_answers_is_a_collapse_where_there_are_many() -> None:
    """With the median of the same weekday, which is what people would look at."""
    volumes = _poisson(1000, seed=0)
    found = collapse_of(DAY, 450, volumes)
    assert found is not None
    same = [volumes[before(7 * week)] for week in range(1, _WEEKS + 1)]
    assert found.usual == np.median(same)
    assert found.share == pytest.approx(450 / np.median(same))
    assert found.compared_with == "the median of 5 Wednesdays before"
    assert _is_collapse(450, volumes)


def test_few_answers_may_be_few_by_chance() -> None:
    """Of two a day, none says nothing; of thirty a day, none says enough."""
    assert not _is_collapse(0, dict.fromkeys(_poisson(2, seed=0), 2))
    assert _is_collapse(0, _poisson(30, seed=0))


def test_a_quiet_weekday_is_no_collapse() -> None:
    """A bank that is closed every Wednesday has no answers on a Wednesday."""
    volumes = _poisson(1000, seed=0)
    closed = volumes | {before(7 * week): 3 for week in range(1, _WEEKS + 1)}
    assert not _is_collapse(2, closed)
    assert _is_collapse(2, volumes)


def test_days_that_are_far_apart_anyway_need_a_larger_fall() -> None:
    """Volumes that double and halve from week to week are not told by chance of counts alone."""
    wild = {each: 1000 * (1 + 3 * (n // 7 % 2)) for n, each in enumerate(_poisson(1, 0))}
    calm = dict.fromkeys(wild, 1000)
    assert _is_collapse(300, calm)
    assert not _is_collapse(300, wild)


def test_an_earlier_collapse_does_not_hide_the_next() -> None:
    """Two odd days of five weeks change neither the median nor the scale."""
    volumes = _poisson(1000, seed=0)
    assert _is_collapse(100, volumes | {before(1): 0, before(7): 0})


def test_before_there_are_three_of_a_weekday_the_lowest_day_is_usual() -> None:
    """A weekend of the second week is no collapse; next to no answers are one."""
    volumes = {before(n): 1000 for n in range(1, 11)} | {before(3): 300, before(4): 310}
    found = collapse_of(DAY, 200, volumes)
    assert found is not None
    assert (found.usual, found.compared_with) == (300, "the lowest of 10 days before")
    assert not _is_collapse(200, volumes)
    assert _is_collapse(5, volumes)


def test_less_than_a_week_says_nothing() -> None:
    """Some days of the week are missing."""
    assert collapse_of(DAY, 0, _poisson(1000, seed=0, days=6)) is None
    assert collapse_of(DAY, 0, _poisson(1000, seed=0, days=7)) is not None


@given(st.lists(_COUNTS, min_size=7, max_size=7 * _WEEKS), _COUNTS, _COUNTS)
def test_fewer_answers_are_never_less_suspicious(values: list[int], some: int, more: int) -> None:
    """The probability of a day falls with its answers, and lies between 0 and 1."""
    volumes = {before(n + 1): value for n, value in enumerate(values)}
    few, many = sorted((some, more))
    low, high = (collapse_of(DAY, rows, volumes) for rows in (few, many))
    assert low is not None
    assert high is not None
    assert 0 <= low.p_value <= high.p_value <= 1


@given(st.lists(_COUNTS, min_size=7, max_size=7 * _WEEKS))
def test_a_usual_day_is_no_collapse(values: list[int]) -> None:
    """Whatever the days before were like."""
    volumes = {before(n + 1): value for n, value in enumerate(values)}
    found = collapse_of(DAY, 0, volumes)
    assert found is not None
    assert not _is_collapse(int(np.ceil(found.usual)), volumes)


def test_chance_alone_is_hardly_ever_a_collapse() -> None:
    """Of a thousand days with fewer and fewer answers, at most what the confidence allows."""
    generator = np.random.default_rng(1)
    alarms = 0
    for seed in range(1_000):
        mean = generator.choice([3, 10, 30, 300])
        volumes = _poisson(mean, seed)
        found = collapse_of(DAY, int(generator.poisson(mean)), volumes)
        assert found is not None
        alarms += found.p_value < 0.001
    assert alarms <= 4  # 1 is expected; 5 or more has a probability of 0.4 %
