"""Whether the champion serves, in sentences."""

import re
from collections.abc import Sequence

from credit_ct_dagster.contracts.health import (
    DayFigures,
    HealthSentence,
    ServedChampion,
    ServiceState,
    Severity,
    Topic,
)
from credit_ct_dagster.errors.base import code_in
from credit_ct_dagster.errors.serving import (
    NoChampionError,
    ServiceDegradedError,
    ServiceSilentError,
)
from credit_ct_dagster.modeling.watching.columns import REQUEST
from credit_ct_dagster.partitions import moment_of

_LOOK_AT_IT = (
    "Look at its log, and at credit-ct doctor. Until it is corrected, credit-ct rollback puts on"
    " record that the model before serves."
)


def serving_sentences(
    champion: ServedChampion | None, service: ServiceState, days: Sequence[DayFigures]
) -> list[HealthSentence]:
    """Which model answers, and since when; or what keeps the champion from answering.

    Args:
        champion: The model that should serve.
        service: What the HTTP service said.
        days: The last days. If there are answers over HTTP, somebody relies on the service
            although its address was not configured; if there are any, there was a champion.
    """
    if champion is None:
        # On a fresh install nothing is wrong: nobody is called every morning until the first run.
        was_served = any(each.volumes for each in days)
        return [
            _serving(
                Severity.warning if was_served else Severity.notice,
                "There is no champion, although a model has answered lately."
                if was_served
                else "No model was promoted yet, so that none answers.",
                NoChampionError.code,
                "Ask credit-ct doctor what became of it, or make a model the champion (credit-ct"
                " promote)."
                if was_served
                else "Train a base date whose model passes the gate (credit-ct run).",
            )
        ]
    if service.status == "not asked":
        text = f"The service was not asked how it is. {_named(champion)} was the champion."
        return [_serving(Severity.notice, text)]
    if service.status in ("not running", "silent"):
        requests = sum(each.rows(REQUEST) for each in days)
        return [_silent(champion, service, service.is_expected or requests > 0)]
    if service.status == "not ready":
        text = f"The service at {service.url} has no model, and refuses every request (503)."
        return [_failing(Severity.critical, text, service.problems)]
    if not service.is_known:
        text = (
            f"The service at {service.url} is {service.status}; which model answers, it tells only"
            " with one of its SERVING_API_KEYS."
        )
        if service.status == "degraded":
            return [_failing(Severity.warning, text, ())]
        return [_serving(Severity.notice, text)]
    return [_known(champion, service)]


def _silent(champion: ServedChampion, service: ServiceState, is_needed: bool) -> HealthSentence:
    if service.status == "not running" and not is_needed:
        text = f"No HTTP service runs at {service.url}. {_named(champion)} is the champion."
        return _serving(Severity.notice, text)
    if service.status == "not running":
        text = (
            f"Nothing listens at {service.url}: whoever asks over HTTP gets no answer."
            f" {_named(champion)} is the champion."
        )
        action = "Start the service (credit-ct serve), or correct SERVICE_URL."
    else:
        text = " ".join(map(without_reference, service.problems)) or (
            f"What listens at {service.url} does not answer as the service does."
        )
        action = "Look at its log, restart it, or correct SERVICE_URL."
    severity = Severity.critical if is_needed else Severity.warning
    return _serving(severity, text, ServiceSilentError.code, action)


def _known(champion: ServedChampion, service: ServiceState) -> HealthSentence:
    """Of a service that told its model."""
    # It may have been replaced since the champion was looked up here.
    wanted = service.champion or champion.bentoml_tag
    behind = [each for each in service.instances if each.tag != wanted]
    if service.tag != wanted or behind:
        served = sorted({each.tag or "no model" for each in behind} or {service.tag or "no model"})
        number = f"{len(behind) or 1} of {max(1, len(service.instances))} processes"
        text = (
            f"{number} at {service.url} serve {', '.join(served)} and not the champion, {wanted}."
        )
        return _failing(Severity.critical, text, service.problems)
    if service.problems or service.status != "ready":
        text = f"{wanted} serves at {service.url}, but the service is {service.status}."
        return _failing(Severity.warning, text, service.problems)
    processes = len(service.instances)
    since = f" since {moment_of(service.since)}" if service.since else ""
    text = (
        f"{_named(champion) if wanted == champion.bentoml_tag else wanted} serves over HTTP{since},"
        f" in {processes:,} process{'es' if processes != 1 else ''}."
    )
    if wanted != champion.bentoml_tag:
        text += f" It is the champion now, in place of {champion.bentoml_tag}."
    elif champion.since:
        text += f" It has been the champion since {moment_of(champion.since)}"
        text += f" (by {champion.by})." if champion.by else "."
    return _serving(Severity.ok, text)


def _failing(severity: Severity, text: str, problems: Sequence[str]) -> HealthSentence:
    codes = [code for each in problems if (code := code_in(each))]
    said = " ".join([text, *map(without_reference, problems)])
    return _serving(severity, said, codes[0] if codes else ServiceDegradedError.code, _LOOK_AT_IT)


def _serving(
    severity: Severity, text: str, code: str | None = None, action: str | None = None
) -> HealthSentence:
    return HealthSentence(
        topic=Topic.serving, severity=severity, text=text, code=code, action=action
    )


def _named(champion: ServedChampion) -> str:
    return f"{champion.bentoml_tag} of base date {champion.base_dt}"


def without_reference(text: str) -> str:
    """A sentence without its code and where to look it up: both are shown by themselves."""
    return re.sub(r" See CT-[A-Z0-9-]+: \S+", "", text)
