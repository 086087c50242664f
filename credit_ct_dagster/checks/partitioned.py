"""Checks with a partition per base date, as the assets that they check."""

import warnings

import dagster as dg


def partitioned_check(
    check: dg.AssetsDefinition, partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """The same check, which Dagster executes, and whose results it keeps, per partition.

    By itself, the UI cannot execute such a check for a base date: *Execute* is disabled, and what
    *Execute all* starts has no partition, for which a check turns nothing red (`needs_base_date`).

    Args:
        check: One or more checks of one asset.
        partitions: Those of the asset.
    """
    attributes = check.get_attributes_dict()
    specs: dict[str, dg.AssetCheckSpec] = attributes["check_specs_by_output_name"]
    with warnings.catch_warnings():
        # For the authors of code locations, who have pinned the version: it is in preview.
        warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec")
        made = {name: _partitioned(spec, partitions) for name, spec in specs.items()}
    # As `map_asset_specs`, which is for assets only, replaces a part of a definition.
    return dg.AssetsDefinition.dagster_internal_init(
        **{**attributes, "check_specs_by_output_name": made}
    )


def _partitioned(spec: dg.AssetCheckSpec, partitions: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        spec.name,
        asset=spec.asset_key,
        description=spec.description,
        additional_deps=list(spec.additional_deps),
        blocking=spec.blocking,
        metadata=spec.metadata,
        automation_condition=spec.automation_condition,
        partitions_def=partitions,
    )
