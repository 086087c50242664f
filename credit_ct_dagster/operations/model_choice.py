"""Which model a person means: the champion, a base date's newest package, or a package."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_ct_dagster.errors.models import MissingPackageError
from credit_ct_dagster.errors.serving import NoChampionError
from credit_ct_dagster.serving.contract import RowContract

if TYPE_CHECKING:
    from credit_ct_dagster.resources.bentoml_packages import PackagedModel
    from credit_ct_dagster.wiring import Wiring

CHAMPION = "@champion"
PREVIOUS = "@previous"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class ChosenModel:
    """A model that was loaded.

    Attributes:
        packaged: The model.
        described: Its tag, base date and role, for a person.
    """

    packaged: "PackagedModel"
    described: str

    @property
    def contract(self) -> RowContract:
        """Which rows it takes: those within the limits of its training."""
        return RowContract.of(self.packaged.data)


def not_packaged(base_dt: str) -> MissingPackageError:
    """What a person is told who names a base date that has no model."""
    return MissingPackageError(
        f"Base date {base_dt} has no package: run it (credit-ct run --partition {base_dt})."
    )


def chosen_model(text: str, wiring: "Wiring") -> ChosenModel:
    """Load the model that a person means.

    Args:
        text: `@champion`, `@previous`, a base date (its newest package), or the tag or version of
            a package.
        wiring: The platform.

    Raises:
        NoChampionError: There is no champion, or none before it.
        MissingPackageError: There is no such package.
        BaseDateError: There is no such base date.
        CreditCtError: The package cannot be loaded.
    """
    promotions, role = wiring.promotions, ""
    if text in (CHAMPION, PREVIOUS):
        role = text.removeprefix("@")
        found = promotions.champion() if text == CHAMPION else promotions.previous()
        if found is None:
            question = promotions.question() if text == CHAMPION else None
            advice = question or "Train one with credit-ct run."
            raise NoChampionError(
                f"There is no {role} model. {advice} Or name a package with --model (credit-ct"
                " status lists them)."
            )
        identity = found
    elif _DATE.fullmatch(text):
        base_dt = wiring.calendar.parse(text)
        packages = wiring.bentoml_store.packaged(base_dt)
        if not packages:
            raise not_packaged(base_dt)
        identity, role = packages[-1].identity, packages[-1].role or ""
    else:
        name = wiring.settings.model_name
        tag = text if ":" in text else f"{name}:{text}"
        of_tag = [each for each in wiring.bentoml_store.packaged() if each.tag == tag]
        if not of_tag:
            raise MissingPackageError(
                f"There is no package {tag} in {wiring.bentoml_store.home}: give {CHAMPION}, a base"
                " date, or a tag that credit-ct status lists."
            )
        identity, role = of_tag[0].identity, of_tag[0].role or ""
    of = f"base date {identity.base_dt}" + (f", {role}" if role else "")
    return ChosenModel(promotions.load(identity), f"{identity.bentoml_tag} ({of})")
