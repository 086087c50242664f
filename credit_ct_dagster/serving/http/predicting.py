"""From a body to an answer: checked, scored, logged, and then answered."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.errors.serving import NoChampionError
from credit_ct_dagster.errors.stores import DuplicateRequestError
from credit_ct_dagster.serving.contract import (
    CUSTOMER,
    Problem,
    customer_rule,
    plain_name,
)
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.answers import answer_of
from credit_ct_dagster.serving.http.asked_rows import (
    AskedRow,
    answers_to,
    conflict,
    prediction_of,
    same_prediction,
)
from credit_ct_dagster.serving.http.bodies import LONGEST_KEY, MOST_ROWS, given_key, parsed, rows_of
from credit_ct_dagster.serving.http.metrics import Metrics
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.refusals import (
    RefusedError,
    invalid,
    invalid_customer,
    unavailable,
)
from credit_ct_dagster.serving.http.turns import Turns
from credit_ct_dagster.serving.log.prediction import Prediction

if TYPE_CHECKING:  # CatBoost takes seconds to import
    from credit_ct_dagster.scorer.scorer import Answer

_ROWS_AT_A_TIME = 250
"""Of many; other requests are answered between them."""
_LONGEST_KEY_OF_MANY = LONGEST_KEY - len(f"-{MOST_ROWS - 1}")


@dataclass(frozen=True)
class Asked:
    """A request, as far as predictions depend on it.

    Attributes:
        body: As it arrived.
        headers: By any spelling of their names.
        request_id: For an answer whose caller gave no key.
        started: When it arrived, of `time.perf_counter`.
    """

    body: bytes
    headers: Mapping[str, str]
    request_id: str
    started: float


class Predictor:
    """Answers requests for predictions.

    A request keeps the model that it started with, whatever is promoted meanwhile.
    """

    def __init__(self, parts: Parts, metrics: Metrics) -> None:
        self._parts, self._metrics = parts, metrics
        self._turns = Turns()

    async def predict(self, asked: Asked) -> dict[str, Any]:
        """Answer for one customer whose features were sent.

        Raises:
            RefusedError: The body breaks the contract, or there is no model.
        """
        model = self._model()
        key = given_key(asked.headers)
        row = self._accepted(model, parsed(asked.body), key or asked.request_id)
        return await self._answer(model, row, key is not None, asked.started)

    async def predict_many(self, asked: Asked) -> dict[str, Any]:
        """Answer for many customers; what is wrong with one does not concern the others.

        Raises:
            RefusedError: The body is no list of customers, there is no model, or too many such
                requests wait.
        """
        model = self._model()
        key = given_key(asked.headers, _LONGEST_KEY_OF_MANY)
        bodies = rows_of(parsed(asked.body))
        async with self._turns.taken():
            return await self._answer_many(model, bodies, key, asked)

    async def _answer_many(
        self, model: ServedModel, bodies: Sequence[Any], key: str | None, asked: Asked
    ) -> dict[str, Any]:
        request_id = key or asked.request_id
        results: dict[int, dict[str, Any]] = {}
        rows: dict[int, AskedRow] = {}
        for place, body in enumerate(bodies):
            try:
                rows[place] = self._accepted(model, body, f"{request_id}-{place}")
            except RefusedError as refusal:
                results[place] = {"row": place, "error": refusal.as_dict()}
        made: list[Prediction | RefusedError] = []
        asked_rows = list(rows.values())
        for start in range(0, len(asked_rows), _ROWS_AT_A_TIME):
            part = asked_rows[start : start + _ROWS_AT_A_TIME]
            made += await self._predictions(model, part, key is not None, asked.started)
        for place, each in zip(rows, made, strict=True):
            results[place] = {"row": place} | (
                {"error": each.as_dict()}
                if isinstance(each, RefusedError)
                else {"prediction": answer_of(each)}
            )
        refused = sum("error" in result for result in results.values())
        return {
            "request_id": request_id,
            "answered": len(results) - refused,
            "refused": refused,
            "results": [results[place] for place in sorted(results)],
        }

    async def predict_customer(self, asked: Asked) -> dict[str, Any]:
        """Answer for one customer of the feature store, by the newest features there.

        Raises:
            RefusedError: The body is not right, the customer is unknown or breaks the contract, or
                there is no model.
        """
        model = self._model()
        key = given_key(asked.headers)
        customer_id = _customer_of(parsed(asked.body))
        request_id = key or asked.request_id
        if key and (stored := (await self._stored([key])).get(key)):
            # The features may have changed since then; the request has not.
            if stored.customer_id != customer_id or stored.feature_date is None:
                raise conflict()
            return answer_of(stored)
        feature_date, features = await self._newest(customer_id)
        row = self._accepted(
            model,
            {name: _known(features.get(name)) for name in model.scorer.columns},
            request_id,
            customer_id,
            feature_date,
        )
        return await self._answer(model, row, False, asked.started)

    async def _newest(self, customer_id: str) -> tuple[str, Mapping[str, Any]]:
        customers = self._parts.customers
        if customers is not None:
            found = await asyncio.to_thread(customers.newest_features, customer_id)
            if found is not None:
                return found
        raise RefusedError(
            HTTPStatus.NOT_FOUND,
            "unknown_customer",
            "The feature store has no features of this customer.",
        )

    def _model(self) -> ServedModel:
        model = self._parts.models.current
        if model is None:
            raise unavailable(NoChampionError.code, "There is no model to answer with yet.")
        return model

    def _accepted(
        self,
        model: ServedModel,
        body: Any,
        request_id: str,
        customer_id: str | None = None,
        feature_date: str | None = None,
    ) -> AskedRow:
        problems = model.contract.problems(body)
        if problems:
            self._metrics.refused(problem.field for problem in problems)
            raise invalid_customer(problems)
        warnings = model.contract.warnings(body)
        self._metrics.unseen(problem.field for problem in warnings)
        return AskedRow(
            request_id,
            model.contract.features_of(body),
            warnings,
            customer_id or body.get(CUSTOMER),
            feature_date,
            model.contract.ignored_of(body),
        )

    async def _stored(self, request_ids: Sequence[str]) -> Mapping[str, Prediction]:
        """What the log has of requests, which their callers may have repeated."""
        log = self._parts.log
        if log is None or not request_ids:
            return {}
        return await asyncio.to_thread(log.find_many, request_ids)

    async def _answer(
        self, model: ServedModel, row: AskedRow, may_be_repeated: bool, started: float
    ) -> dict[str, Any]:
        [made] = await self._predictions(model, [row], may_be_repeated, started)
        if isinstance(made, RefusedError):
            raise made
        return answer_of(made)

    async def _predictions(
        self,
        model: ServedModel,
        rows: Sequence[AskedRow],
        may_be_repeated: bool,
        started: float,
    ) -> list[Prediction | RefusedError]:
        """The predictions, once they are in the log; a refusal where a key has another one.

        Raises:
            CreditCtError: A prediction could not be logged.
        """
        stored = await self._stored([row.request_id for row in rows]) if may_be_repeated else {}
        new = [row for row in rows if row.request_id not in stored]
        if len(rows) == 1:  # a thread would take longer than the model
            answers = [model.scorer.score(row.features, self._parts.reasons) for row in new]
        else:
            answers = await asyncio.to_thread(answers_to, model, new, self._parts.reasons)
        logged = iter(await self._logged(model, new, answers, started))
        return [
            same_prediction(stored[row.request_id], row)
            if row.request_id in stored
            else next(logged)
            for row in rows
        ]

    async def _logged(
        self,
        model: ServedModel,
        rows: Sequence[AskedRow],
        answers: "Sequence[Answer]",
        started: float,
    ) -> list[Prediction | RefusedError]:
        now = datetime.now(UTC)
        latency_ms = (time.perf_counter() - started) * 1_000
        made = [
            prediction_of(model.identity, row, answer, now, latency_ms)
            for row, answer in zip(rows, answers, strict=True)
        ]
        written: Sequence[BaseException | None] = [None] * len(made)
        if self._parts.log is not None:
            futures = [asyncio.wrap_future(self._parts.log.record(each)) for each in made]
            written = await asyncio.gather(*futures, return_exceptions=True)
        logged: list[Prediction | RefusedError] = []
        for row, prediction, fault in zip(rows, made, written, strict=True):
            if fault is None:
                logged.append(prediction)
            elif isinstance(fault, DuplicateRequestError):
                # It arrived twice at the same time.
                first = (await self._stored([row.request_id])).get(row.request_id)
                logged.append(same_prediction(first, row) if first else conflict())
            else:
                raise fault
        self._metrics.answered((each.credit_score for each in answers), model.identity.bentoml_tag)
        return logged


def _known(value: Any) -> Any:
    """A value of the feature store; None where it is missing."""
    return None if value is None or value != value else value


def _customer_of(body: Any) -> str:
    if not isinstance(body, dict):
        raise invalid(f"The body must be a JSON object of {CUSTOMER}.")
    rule = customer_rule(body.get(CUSTOMER))
    problems = [Problem(CUSTOMER, rule)] if rule else []
    problems += [
        Problem(plain_name(name), f"is not a field: send {CUSTOMER} only")
        for name in list(body)[:10]
        if name != CUSTOMER
    ]
    if problems:
        raise invalid(f"The body must be a JSON object of {CUSTOMER} only.", problems)
    return str(body[CUSTOMER])
