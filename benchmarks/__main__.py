"""`make bench`: every comparison, as a table and as JSON."""

import sys

import click

from benchmarks import feature_store
from benchmarks.measure import report


@click.command()
@click.option("--pairs", default=5, show_default=True, help="Turns that count, of each comparison.")
@click.option("--json", "json_path", default="benchmarks.json", show_default=True)
def main(pairs: int, json_path: str) -> None:
    """Measure; exits 1 when a promise does not hold."""
    sys.exit(0 if report(feature_store.run(pairs), json_path) else 1)


main()
