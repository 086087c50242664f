"""The records of decisions: numbered files that nothing replaces, each with the hash of the last.

A decision that cannot be read any more is set aside by a person, under a name that ends with
`.unreadable`: its number stays in use, and the decisions after it count.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import (
    DECISION_FILE,
    DECISIONS_FOLDER,
    MODEL_FOLDER,
    numbered_decision_file,
)
from credit_ct_dagster.errors.models import ChangedDecisionsError, OvertakenDecisionError
from credit_ct_dagster.errors.stores import NewerRecordError, UnreadableRecordError
from credit_ct_dagster.io_managers import places
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.io_managers.publishing import publish_new

_SET_ASIDE = ".unreadable"


@dataclass(frozen=True)
class Decisions:
    """The decisions that were read together.

    Attributes:
        records: Oldest first.
        hashes: Of the file of each, by its number.
        set_aside: Numbers of those that a person set aside.
    """

    records: list[DecisionRecord]
    hashes: dict[int, str]
    set_aside: Sequence[int]

    @property
    def next_number(self) -> int:
        """One more than the highest number that was ever seen."""
        return max([0, *self.hashes, *self.set_aside]) + 1

    @property
    def newest_sha256(self) -> str:
        """Of the newest record; empty without one."""
        return self.hashes[max(self.hashes)] if self.hashes else ""

    def problems(self) -> list[str]:
        """What is missing or was changed, each in a few words."""
        known = {*self.hashes, *self.set_aside}
        missing = sorted({*range(1, self.next_number)} - known)
        found = [f"decision {number} is missing" for number in missing]
        in_order = sorted(self.hashes)
        for record, number in zip(self.records, in_order, strict=True):
            if record.number != number:
                found.append(f"the file of decision {number} holds decision {record.number}")
            earlier = max((each for each in in_order if each < number), default=None)
            between = range((earlier or 0) + 1, number)
            if earlier is None or record.preceding_sha256 is None or [*between]:
                continue  # a release before 0.2 wrote it, or the gap is reported above
            if record.preceding_sha256 != self.hashes[earlier]:
                found.append(f"decision {earlier} was changed after decision {number} was recorded")
        return found


class DecisionRecords:
    """The folder with the decisions of a model."""

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts

    def read(self) -> Decisions:
        """Read every decision that was recorded until now.

        Raises:
            UnreadableRecordError: One is damaged; none is passed over.
            NewerRecordError: A later release wrote one.
        """
        folder = self._folder
        records, hashes, names = [], {}, folder.names()
        for name in names:
            number = _number(name, "")
            if number is None:
                continue
            content = folder.content(name)
            records.append(self._record(content, number, str(folder.path / name)))
            hashes[number] = sha256(content).hexdigest()
        set_aside = [number for name in names if (number := _number(name, _SET_ASIDE))]
        return Decisions(records, hashes, set_aside)

    def append(self, record: DecisionRecord) -> None:
        """Record a decision; its number is the next one of the decisions that it was based on.

        Raises:
            OvertakenDecisionError: Somebody else recorded one since.
        """
        folder, name = self._folder, numbered_decision_file(record.number)
        newer = [
            each
            for each in folder.names()
            if (_number(each, "") or _number(each, _SET_ASIDE) or 0) >= record.number
        ]
        with places.reaching(str(folder.path)):
            try:
                if newer:
                    raise FileExistsError(newer[-1])
                places.make_folder(folder.path)
                publish_new(folder.path / name, record.to_json())
            except FileExistsError as error:
                raise OvertakenDecisionError(
                    f"Decision {record.number} on base date {record.model.base_dt} was not"
                    " recorded: while it was taken, the lock was lost and another decision was"
                    " recorded, which stands. Decide again: materialize champion_model for this"
                    " base date, or repeat the command."
                ) from error

    def verify(self) -> str:
        """Make sure that no decision is missing and none was changed.

        Returns:
            How many there are, in a few words.

        Raises:
            ChangedDecisionsError: That is not so.
        """
        decisions = self.read()
        problems = decisions.problems()
        if problems:
            folder = self._folder.path
            raise ChangedDecisionsError(
                f"Records of decisions in {folder} are not as they were written:"
                f" {'; '.join(problems)}. Restore the files from a backup. If there is none, put a"
                f" file NUMBER.json{_SET_ASIDE} in the place of each, which records the loss."
            )
        aside = f", {len(decisions.set_aside)} set aside" if decisions.set_aside else ""
        return f"{len(decisions.records):,} in an unbroken chain{aside}"

    def _record(self, content: bytes, number: int, path: str) -> DecisionRecord:
        try:
            return _read_once(content, path)
        except UnreadableRecordError as error:
            copy = self._copy_of(number)
            raise UnreadableRecordError(
                f"{path} ({len(content):,} bytes) is damaged, and no decision is taken without it."
                + (
                    f" Its copy is {copy}: copy that file to {path}."
                    if copy
                    else f" Restore it from a backup. If there is none, rename it to {path}"
                    f"{_SET_ASIDE}: later decisions continue without it. Then credit-ct doctor says"
                    " whether the champion has to be put on record (credit-ct promote)."
                )
            ) from error

    def _copy_of(self, number: int) -> str | None:
        """Where the decision stands a second time: beside the model that it was about."""
        for _, folder in self._artifacts.open_all(MODEL_FOLDER):
            try:
                if DECISION_FILE in folder and folder.read(DecisionRecord).number == number:
                    return str(folder.path / DECISION_FILE)
            except (UnreadableRecordError, NewerRecordError):
                continue
        return None

    @property
    def _folder(self) -> ArtifactFolder:
        return self._artifacts.open(DECISIONS_FOLDER, "")


@lru_cache(maxsize=10_000)
def _read_once(content: bytes, path: str) -> DecisionRecord:
    """A record of the same bytes: who decides reads all of them several times."""
    return DecisionRecord.from_json(content, path)


def _number(name: str, suffix: str) -> int | None:
    found = re.fullmatch(rf"(\d+)\.json{re.escape(suffix)}", name)
    return int(found[1]) if found else None
