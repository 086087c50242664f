"""Whose runs are whose, when several models share one Dagster instance."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Protocol

import dagster as dg

from credit_ct_dagster.contracts.model_name import DEFAULT_MODEL_NAME
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import TRIGGER_TAG
from credit_ct_dagster.runs.recorded import RecordedRun, recorded_runs

MODEL_TAG = "credit_ct/model"
"""A tag of every run: MODEL_NAME of the process that executes it."""

_PAGE = 500


class Tagged(Protocol):
    """A run, or what was read of it."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags, `MODEL_TAG` among them."""


class ModelRuns:
    """The runs of one model on an instance.

    A run without the tag was started by an earlier release, or has not begun. It counts for the
    only model of the instance, or for the one with the default name.
    """

    def __init__(self, instance: dg.DagsterInstance, model_name: str) -> None:
        self.instance = instance
        self.model_name = model_name

    def owns(self, run: Tagged) -> bool:
        """Whether a run is one of this model."""
        tagged = run.tags.get(MODEL_TAG)
        return self._owns_untagged if tagged is None else tagged == self.model_name

    def may_own(self, run: Tagged) -> bool:
        """Whether a run is not known to be one of another model."""
        return run.tags.get(MODEL_TAG, self.model_name) == self.model_name

    def owns_by_id(self, run_id: str) -> bool:
        """As `owns`; a run that was deleted is not one of another model."""
        run = self.instance.get_run_by_id(run_id) if run_id else None
        return run is None or self.owns(run)

    def records(self, wanted: dg.RunsFilter | None = None) -> Iterator[dg.RunRecord]:
        """The runs of this model that a filter selects, newest first."""
        return (each for each in self.all_records(wanted) if self.owns(each.dagster_run))

    def all_records(self, wanted: dg.RunsFilter | None = None) -> Iterator[dg.RunRecord]:
        """The runs of all models that a filter selects, newest first."""
        cursor = None
        while page := self.instance.get_run_records(wanted, limit=_PAGE, cursor=cursor):
            yield from page
            cursor = page[-1].dagster_run.run_id

    def triggered(self) -> Iterator[dg.RunRecord]:
        """The runs of this model that a trigger started, newest first."""
        tagged = dict(self.instance.get_run_tags(tag_keys=[TRIGGER_TAG])).get(TRIGGER_TAG, set())
        return (
            self.records(dg.RunsFilter(tags={TRIGGER_TAG: sorted(tagged)})) if tagged else iter(())
        )

    def materialization(self, asset: dg.AssetKey, base_dt: str) -> dg.AssetMaterialization | None:
        """The newest materialization of an asset by a run of this model; None if there is none."""
        found = self.materialized(asset, base_dt)
        return found and found.asset_materialization

    def materialized(self, asset: dg.AssetKey, base_dt: str) -> dg.EventLogRecord | None:
        """As `materialization`, with the run that made it."""
        wanted, cursor = dg.AssetRecordsFilter(asset, asset_partitions=[base_dt]), None
        while True:
            found = self.instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
            for record in found.records:
                if self.owns_by_id(record.run_id):
                    return record
            if not found.has_more:
                return None
            cursor = found.cursor

    def recorded(self) -> list[RecordedRun]:
        """All runs of all models, newest first, with their base date and model as tags."""
        return recorded_runs(self.instance, [PARTITION_TAG, MODEL_TAG])

    @cached_property
    def _owns_untagged(self) -> bool:
        return self.model_name == DEFAULT_MODEL_NAME or not self._other_models

    @cached_property
    def _other_models(self) -> set[str]:
        tagged = dict(self.instance.get_run_tags(tag_keys=[MODEL_TAG]))
        return set(tagged.get(MODEL_TAG, ())) - {self.model_name}
