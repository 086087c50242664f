"""The labelled answers that were scored in the shadow as well, and holdouts with two answers."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import MONITORING_FOLDER, SHADOW_SCORES_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.decisions.tenures import tags_of
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.evidence.judged_models import Judge
from credit_ct_dagster.evidence.learned_labels import learned_until
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.columns import DAY, KEY, MODEL_TAG, SOURCE
from credit_ct_dagster.partitions import base_dates_after
from credit_ct_dagster.resources.feature_store.served.answers import LABEL_DAYS, ServedAnswers

# What reads and scores is imported where it is used: pandas and CatBoost take seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.modeling.watching.challengers import HoldoutAnswers


@dataclass(frozen=True)
class Shadowed:
    """A model whose answers in the shadow are compared with the champion's.

    Attributes:
        model: The model.
        since: The first prediction day that counts.
    """

    model: ModelIdentity
    since: str


class ShadowEvidence:
    """What was answered, what would have been, and what became of it."""

    def __init__(
        self,
        served: ServedAnswers,
        artifacts: ArtifactsIOManager,
        promotions: Promotions,
        log: logging.Logger,
        label_days: int = LABEL_DAYS,
    ) -> None:
        """Read nothing yet.

        Args:
            served: The answers.
            artifacts: Where shadow scores and splits are.
            promotions: The decisions, and the packages.
            log: Of the run.
            label_days: How many days after the features a label may be dated.
        """
        self._served = served
        self._artifacts = artifacts
        self._promotions = promotions
        self._log = log
        self._label_days = label_days

    def rows(
        self,
        records: Sequence[DecisionRecord],
        champion: ModelIdentity,
        others: Sequence[Shadowed],
        last: str,
    ) -> "list[pd.DataFrame]":
        """Labelled answers of the champion, beside those of each other model.

        Args:
            records: Every decision, oldest first.
            champion: Whose answers were served.
            others: Models in the shadow, one or more.
            last: The last prediction day.

        Returns:
            Per other model, its rows as `pooled` has them.

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
            UnavailableError: The artifacts cannot be reached.
        """
        from credit_ct_dagster.modeling.watching.paired import paired, pooled

        newest = self._promotions.newest_package
        served_by = tags_of(records, newest(champion))
        learned = learned_until(self._promotions, champion)
        after = [max(learned, learned_until(self._promotions, each.model)) for each in others]
        tags = [tags_of(records, newest(each.model)) for each in others]
        first = min(each.since for each in others)
        scored = self._scored(first, last, set().union(*tags))
        answers = self._answers(scored)
        return [
            pooled(
                [
                    paired(answers[day], shadow, day, served_by, tags[place], after[place])
                    for day, shadow in scored.items()
                    if each.since <= day and day in answers
                ]
            )
            for place, each in enumerate(others)
        ]

    def holdouts(
        self, judge: Judge, challenger: ModelIdentity, champion: ModelIdentity
    ) -> "HoldoutAnswers | None":
        """The holdouts that the gate judged a challenger by, with both models' answers.

        Returns:
            None where they, or a package, do not exist any more.

        Raises:
            UnavailableError: The artifacts cannot be reached.
        """
        from credit_ct_dagster.modeling.watching.challengers import HoldoutAnswers

        models = [self._promotions.newest_package(each) for each in (challenger, champion)]
        try:
            found = judge.answered_holdouts(models[0], models[1], challenger.base_dt)
        except UnavailableError:
            raise
        except CreditCtError as error:
            self._log.warning(
                f"The challenger of base date {challenger.base_dt} is judged without holdouts:"
                f" {error.sentence}"
            )
            return None
        if found.rows.empty:
            return None
        return HoldoutAnswers(found.rows, found.answers, found.base_dates)

    def _scored(self, first: str, last: str, tags: set[str]) -> "dict[str, pd.DataFrame]":
        """What some packages scored in the shadow, per day on which they scored anything."""
        found = {}
        for day in [first, *base_dates_after(first, last)]:
            shadow = self._shadow_of(day)
            if shadow is not None and not (shadow := shadow[shadow[MODEL_TAG].isin(tags)]).empty:
                found[day] = shadow
        return found

    def _answers(self, scored: "Mapping[str, pd.DataFrame]") -> "dict[str, pd.DataFrame]":
        """What was served to those who were scored in the shadow, per day."""
        import pandas as pd

        if not scored:
            return {}
        keys = pd.concat(
            [
                shadow[[SOURCE, KEY]].drop_duplicates().assign(**{DAY: day})
                for day, shadow in scored.items()
            ]
        )
        answers = self._served.of_keys(keys, label_days=self._label_days)
        return {str(day): group for day, group in answers.groupby(DAY)}

    def _shadow_of(self, day: str) -> "pd.DataFrame | None":
        """What was scored in the shadow on a day; None if nothing was, or it cannot be read."""
        folder = self._artifacts.open(MONITORING_FOLDER, day)
        if SHADOW_SCORES_FILE not in folder:
            return None
        try:
            shadow = folder[SHADOW_SCORES_FILE]
        except UnavailableError:
            raise
        except CreditCtError as error:
            self._log.warning(f"Prediction day {day} is left out: {error.sentence}")
            return None
        # In CSV, keys of digits are read as numbers.
        return shadow.astype({KEY: str, MODEL_TAG: str})
