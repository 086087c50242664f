"""Keys that occur more than once in a file, found with 8 bytes of memory per row."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from credit_ct_dagster.modeling import schema


class KeyHashes:
    """Collects a hash of each key of a file."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray] = []

    def add(self, rows: pa.Table) -> None:
        """Take note of the next rows."""
        self._hashes.append(key_hashes(rows))

    def repeated(self) -> np.ndarray:
        """The hashes that occur more than once, in ascending order."""
        hashes = np.concatenate(self._hashes)
        hashes.sort()
        return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


class RepeatedKeys:
    """Collects the rows whose keys occur more than once.

    One key with two different rows is a conflict: which of them is written would depend on their
    order. A row that only repeats an earlier one is none, and is written once.
    """

    def __init__(self) -> None:
        self._places: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def add(self, places: np.ndarray, keys: np.ndarray, rows: pd.DataFrame) -> None:
        """Take note of the next rows.

        Args:
            places: Of the rows in the file, counted from 0.
            keys: The hashes of their keys.
            rows: The rows.
        """
        self._places.append(places)
        self._keys.append(keys)
        self._rows.append(pd.util.hash_pandas_object(rows, index=False).to_numpy())

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """What was found in all rows.

        Returns:
            The places of rows that repeat an earlier one, in ascending order; and the hashes of
            keys in conflict, in the order in which they first occur.
        """
        places, keys, rows = (
            np.concatenate(each) for each in (self._places, self._keys, self._rows)
        )
        order = np.argsort(keys, kind="stable")
        same_key = keys[order][1:] == keys[order][:-1]
        same_row = rows[order][1:] == rows[order][:-1]
        repeated = np.sort(places[order[1:][same_key & same_row]])
        in_conflict = np.unique(keys[order[1:][same_key & ~same_row]])
        return repeated, pd.unique(keys[np.isin(keys, in_conflict)])


def key_hashes(rows: pa.Table) -> np.ndarray:
    """A hash of each row's key, which only this process knows."""
    # No cell of a file has a NUL character.
    keys = pc.binary_join_element_wise(*(rows[name].combine_chunks() for name in schema.KEY), "\0")
    return np.fromiter(map(hash, keys.to_pylist()), dtype=np.int64, count=len(keys))
