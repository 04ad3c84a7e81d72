"""Differences between two sets of top-k lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def list_changes(before: NDArray[np.int64], after: NDArray[np.int64]) -> dict[str, float]:
    """Compare two sets of lists, each of shape (u, k), u and k at least 1, best first, no item twice in a list.

    A place without an item holds -1 and has nothing in common with any other. Returns means over users, each 1 where
    nothing changed and 0 where nothing is in common:

    * ``overlap``: share of the places of a list whose item is in the other list too.
    * ``Jaccard``: |A and B| / |A or B|.
    * ``average overlap``: the overlap of the first d places, mean over d = 1 .. k; a change at the top weighs more.
      Source: Fagin, Kumar, Sivakumar 2003, "Comparing top k lists".
    * ``same first``: share of users whose first item is the same.
    """
    k = before.shape[1]
    same = (before[:, :, np.newaxis] == after[:, np.newaxis, :]) & (before >= 0)[:, :, np.newaxis]  # (u, k, k)
    depth = np.arange(k)
    first_seen_by = np.maximum(depth[:, np.newaxis], depth)  # both lists show the pair from this depth on
    pairs = np.stack([same[:, first_seen_by == d].sum(axis=1) for d in depth], axis=1)  # (u, k)
    shared = pairs.cumsum(axis=1)
    common = shared[:, -1]
    filled = (before >= 0).sum(axis=1) + (after >= 0).sum(axis=1)
    union = np.maximum(filled - common, 1)
    return {
        "overlap": float((common / k).mean()),
        "Jaccard": float((common / union).mean()),
        "average overlap": float((shared / (depth + 1)).mean()),
        "same first": float(same[:, 0, 0].mean()),
    }
