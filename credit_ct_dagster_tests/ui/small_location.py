"""A code location that loads in a moment."""

import dagster as dg


@dg.asset
def one() -> int:
    """Anything."""
    return 1


defs = dg.Definitions(assets=[one], jobs=[dg.define_asset_job("make_one")])
