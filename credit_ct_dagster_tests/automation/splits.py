"""What a base date was trained on, as far as sensors read it."""

from credit_ct_dagster.contracts.splits import Quarantine, SplitsSummary
from credit_ct_dagster_tests.automation.base_dates import NEWEST


def summary_of(fingerprint: str) -> SplitsSummary:
    """The summary of splits whose rows have a fingerprint."""
    none: dict[str, int] = {}
    return SplitsSummary(
        base_dt=NEWEST,
        window="",
        data_fingerprint=fingerprint,
        fingerprints={},
        scalers_fingerprint="",
        rows=none,
        customers=none,
        labels={},
        seen_share=0.85,
        quarantine=Quarantine(rows=0, share=0, max_share=0.02, per_rule=none, sentence=""),
    )
