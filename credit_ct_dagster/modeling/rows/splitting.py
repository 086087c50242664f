"""Train, validation and holdout rows: by customer, the same on every base date."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.errors.stores import MixedArtifactsError
from credit_ct_dagster.modeling import schema


def customer_position(customer_ids: pd.Series) -> pd.Series:
    """Where each customer lies in [0, 1): a hash of the id, independent of any other row.

    Args:
        customer_ids: Ids as text. Two are one customer if they are equal byte by byte, as for the
            join of the feature store, its keys, the checks and the gate.

    Returns:
        float64, same index; equal ids have equal positions, on every machine and base date.
    """
    number, ids = pd.factorize(customer_ids.astype(str))
    digests = b"".join(blake2b(each.encode(), digest_size=8).digest() for each in ids)
    positions = np.frombuffer(digests, dtype=">u8").astype("float64") / 2**64
    return pd.Series(positions[number], index=customer_ids.index, name=customer_ids.name)


def split_by_customer(
    frame: pd.DataFrame, train_share: float, val_share: float
) -> dict[str, pd.DataFrame]:
    """Divide rows so that no customer is on two sides, today or on another base date.

    Args:
        frame: Rows with a `customer_id`.
        train_share: Share of all customers to train on.
        val_share: Share to choose the model with; the rest is the holdout.

    Returns:
        The rows per name in `SPLITS`, in their order.

    Raises:
        UnusableRowsError: A split would be empty, or the training rows lack a class.
    """
    side = np.digitize(
        customer_position(frame[schema.CUSTOMER]), [train_share, train_share + val_share]
    )
    splits = {
        name: frame[side == number].reset_index(drop=True) for number, name in enumerate(SPLITS)
    }
    empty = [name for name, rows in splits.items() if rows.empty]
    if empty:
        raise UnusableRowsError(
            f"{len(frame)} rows of {frame[schema.CUSTOMER].nunique()} customers are too few: no row"
            f" is left for {' and '.join(empty)}. Load more rows, or change train_share and"
            " val_share."
        )
    classes = set(splits["train"][schema.TARGET])
    if len(classes) < 2:
        raise UnusableRowsError(
            f"All training rows have the label '{classes.pop()}', but a classifier needs two: load"
            " rows with other labels, then run this base date again."
        )
    unseen = set(splits["val"][schema.TARGET]) - classes
    if unseen:
        raise UnusableRowsError(
            f"Validation rows have the label '{unseen.pop()}', but no training row has it: load"
            " more rows, then run this base date again."
        )
    return splits


def pooled_holdout(holdouts: Sequence[pd.DataFrame], seen_shares: Sequence[float]) -> pd.DataFrame:
    """Holdout rows of several base dates that none of several models has seen.

    A customer's position is the same on every base date, and a model sees the customers below its
    seen share, whatever base date it was trained on. So the rows above every seen share are new to
    all of them.

    Args:
        holdouts: Rows per base date; where several have a customer-month, the first is taken.
        seen_shares: Per model, the share of customers that it was fitted to or chosen by.
    """
    rows, _ = pooled_with_places(holdouts, seen_shares)
    return rows


def pooled_with_places(
    holdouts: Sequence[pd.DataFrame], seen_shares: Sequence[float]
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of `pooled_holdout`, and of each the place of its base date among `holdouts`.

    Args:
        holdouts: As there.
        seen_shares: As there.

    Returns:
        The rows, and their places from 0 on, of shape (rows,).
    """
    rows = pd.concat(holdouts, ignore_index=True)
    places = np.repeat(np.arange(len(holdouts)), [len(each) for each in holdouts])
    unseen = customer_position(rows[schema.CUSTOMER]) >= max(seen_shares)
    kept = (unseen & ~rows.duplicated([schema.ID, schema.CUSTOMER])).to_numpy()
    return rows[kept].reset_index(drop=True), places[kept]


def require_fingerprint(rows: pd.DataFrame, expected: str, what: str) -> None:
    """Make sure that rows are the ones that a summary describes.

    Args:
        rows: As they were read.
        expected: Their `data_fingerprint` when they were written.
        what: Names the rows, for a person.

    Raises:
        MixedArtifactsError: They are others.
    """
    if data_fingerprint(rows) != expected:
        raise MixedArtifactsError(
            f"The {what} do not match the fingerprint in the summary: another run has replaced one"
            " of the two. Materialize preprocessed_splits for their base date again."
        )


def data_fingerprint(frame: pd.DataFrame) -> str:
    """A hash of all values and their order, 32 hexadecimal digits."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    columns = "\n".join(frame.columns).encode()
    return blake2b(columns + rows.tobytes(), digest_size=16).hexdigest()
