"""Golden rows: made-up customers, with the answers that the pipeline gives to them.

Whoever serves a model asks it these rows first. The answers are computed on the pipeline's own path
(scikit-learn's scalers, CatBoost, scikit-learn's calibration, Python's numbers), not by the scorer
inside the package, so that a mistake in either is seen.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.scorer import Limits
from credit_ct_dagster.contracts.utility import Matrix, RuleData
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import CalibratedModel, aligned
from credit_ct_dagster.modeling.answers.scorer_data import typical_values
from credit_ct_dagster.modeling.rows.preparation import Scalers, prepare
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE

_QUANTILES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
# Where a number has no bound: far beyond any amount, and within CatBoost's single precision.
_UNBOUNDED = 1e12

_HIGHEST_SCORE = RuleData(rule=HIGHEST_SCORE)

_Value = float | str | None
_Row = dict[str, _Value]


def golden_rows(
    train: pd.DataFrame,
    scalers: Scalers,
    model: CalibratedModel,
    limits: Mapping[str, Limits],
    rule: RuleData = _HIGHEST_SCORE,
) -> GoldenRows:
    """Make golden rows for a model, the same ones whenever it is packaged.

    None of them is a row of a customer: each is put together from medians, quantiles and frequent
    words of the training rows, from limits, and from words that no training row holds.

    Args:
        train: Raw training rows with the columns `schema.FEATURES` and `schema.TARGET`.
        scalers: Those that the model was trained with.
        model: Takes prepared rows.
        limits: Per number, those of the rules for rows.
        rule: How the class follows from scores and probabilities. [default: the highest score]
    """
    made = [
        (kind, _within({name: row[name] for name in model.features}, limits))
        for kind, row in _made(train, limits, model.features)
    ]
    rows = pd.DataFrame([row for _, row in made], columns=schema.FEATURES)
    rows = rows.astype(
        {**dict.fromkeys(schema.NUMERIC, float), **dict.fromkeys(schema.WORDS, object)}
    )
    prepared = prepare(rows, scalers)
    probabilities = aligned(model.predict_proba(prepared), model.classes)
    classes: Sequence[str] = (
        list(model.predict(prepared))
        if rule.rule == HIGHEST_SCORE
        else [_worth_most(shares, rule.gains) for shares in probabilities.tolist()]
    )
    return GoldenRows(
        rows=[
            GoldenRow(
                kind=kind,
                features=row,
                credit_score=str(score),
                probabilities=dict(zip(schema.CLASSES, map(float, shares), strict=True)),
            )
            for (kind, row), score, shares in zip(made, classes, probabilities, strict=True)
        ]
    )


def _worth_most(probabilities: Sequence[float], gains: Matrix) -> str:
    """The class with the highest expected gain, added up from the worst class to the best."""
    best, most = schema.CLASSES[0], float("-inf")
    for predicted, name in enumerate(schema.CLASSES):
        expected = 0.0
        for true, probability in enumerate(probabilities):
            expected += gains[true][predicted] * probability
        if expected > most:
            best, most = name, expected
    return best


def _made(
    train: pd.DataFrame, limits: Mapping[str, Limits], features: Sequence[str]
) -> Iterator[tuple[str, _Row]]:
    """Rows of the schema, each with what it is there for: to vary a model's features."""
    everyone = typical_values(train)
    of_class = [
        everyone | {name: value for name, value in row.items() if value is not None}
        for row in (typical_values(train[train[schema.TARGET] == name]) for name in schema.CLASSES)
    ]
    for name, row in zip(schema.CLASSES, of_class, strict=True):
        yield f"typical {name}", row
    yield "typical", everyone
    quantiles = {name: train[name].quantile(_QUANTILES).tolist() for name in schema.NUMERIC}
    for number in range(len(_QUANTILES)):
        yield "quantiles", everyone | _quantiles(quantiles, number)
    yield "all missing", dict.fromkeys(schema.FEATURES)
    for number, column in enumerate(features):
        yield f"{column} missing", of_class[number % len(of_class)] | {column: None}
    yield "blank words", everyone | dict.fromkeys(schema.WORDS, "  ")
    yield (
        "words with blanks around",
        everyone
        | {name: f" {word} " for name in schema.WORDS if (word := everyone[name]) is not None},
    )
    yield from _words(train, everyone, features)
    for name in features:
        if kinds := schema.COLUMNS[name].kinds:
            for kind, text in _lists(kinds):
                yield f"{name}: {kind}", everyone | {name: text[: schema.COLUMNS[name].length]}
    numbers = [name for name in schema.NUMERIC if name in features]
    low: _Row = {name: _bound(limits, name, "low") for name in numbers}
    high: _Row = {name: _bound(limits, name, "high") for name in numbers}
    even: _Row = {name: high[name] for name in numbers[::2]}
    odd: _Row = {name: high[name] for name in numbers[1::2]}
    for kind, extreme in (
        ("lowest numbers", low),
        ("highest numbers", high),
        ("lowest and highest numbers", low | even),
        ("highest and lowest numbers", low | odd),
    ):
        yield kind, everyone | extreme


def _quantiles(quantiles: Mapping[str, Sequence[float]], number: int) -> _Row:
    """Each number at another one of its quantiles, so that all occur, in many combinations."""
    return {
        name: _number(values[(number + place) % len(values)])
        for place, (name, values) in enumerate(quantiles.items())
    }


def _words(
    train: pd.DataFrame, everyone: _Row, features: Sequence[str]
) -> Iterator[tuple[str, _Row]]:
    """Every word of a closed list, and words that training never had in the other columns."""
    unseen: _Row = {}
    for name in schema.WORDS:
        if name not in features:
            continue
        column = schema.COLUMNS[name]
        for word in column.words:
            yield f"{name} {word}", everyone | {name: word}
        if not column.words:
            unseen[name] = _unseen(train[name], column)
            yield f"unseen {name}", everyone | {name: unseen[name]}
    yield "unseen words", everyone | unseen


def _lists(kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Texts that list kinds as people write them."""
    *first, last = kinds[:3]
    yield "with and", f"{', '.join(first)} and {last}" if first else last
    yield "in another letter case", f" {','.join(kinds[-3:]).upper()}"
    yield "a kind three times", ", ".join([kinds[-1]] * 3)
    yield "an unknown kind among others", f"{kinds[0]}, Unseen, {kinds[-1]}"


def _unseen(words: pd.Series, column: schema.Column) -> str:
    """A word, or a list of words, that no training row holds."""
    known: Sequence[str] = words.dropna().astype(str).unique().tolist()
    made = f"{column.separator} ".join(["Unseen", "never"]) if column.separator else "Unseen"
    while any(made in each for each in known):
        made = f"x{made}"
    return made[: column.length]


def _within(row: _Row, limits: Mapping[str, Limits]) -> _Row:
    """A row whose numbers respect the limits.

    Raw rows are made from scaled ones, up to the last digit: a count of 0 may be just below.
    """
    return {
        name: min(max(value, _bound(limits, name, "low")), _bound(limits, name, "high"))
        if isinstance(value, float)
        else value
        for name, value in row.items()
    }


def _bound(limits: Mapping[str, Limits], name: str, side: str) -> float:
    value = getattr(limits.get(name) or RowRules().bounds_of(name), side)
    if value is None:
        return -_UNBOUNDED if side == "low" else _UNBOUNDED
    return float(value)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
