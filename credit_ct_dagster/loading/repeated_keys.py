"""Keys that occur more than once in a file, found with 16 bytes of memory per row."""

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema


class RepeatedKeys:
    """Collects hashes of keys and of rows.

    One key with two different rows is a conflict: which of them is written would depend on their
    order. A row that only repeats an earlier one is none, and is written once.
    """

    def __init__(self) -> None:
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def add(self, batch: pd.DataFrame) -> None:
        """Take note of the next rows."""
        self._keys.append(key_hashes(batch))
        self._rows.append(pd.util.hash_pandas_object(batch, index=False).to_numpy())

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """What was found in all rows.

        Returns:
            Per row, whether it is the first one like it; and the hashes of keys in conflict, in the
            order in which they first occur.
        """
        keys, rows = (np.concatenate(each) for each in (self._keys, self._rows))
        order = np.argsort(keys, kind="stable")
        same_key = keys[order][1:] == keys[order][:-1]
        same_row = rows[order][1:] == rows[order][:-1]
        is_first = np.ones(len(keys), dtype=bool)
        is_first[order[1:][same_key & same_row]] = False
        in_conflict = np.unique(keys[order[1:][same_key & ~same_row]])
        return is_first, pd.unique(keys[np.isin(keys, in_conflict)])


def key_hashes(batch: pd.DataFrame) -> np.ndarray:
    """A hash of each row's key."""
    return pd.util.hash_pandas_object(batch[schema.KEY], index=False).to_numpy()
