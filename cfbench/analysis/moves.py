"""How far lists moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Moves:
    """Lists before and after, compared; 1 is no change, 0 nothing in common.

    Attributes:
        overlap: share of the places of a list whose item is in the other list too, mean over users.
        jaccard: |A and B| / |A or B|, mean over users.
        average_overlap: the overlap of the first d places, mean over d = 1 .. k, then over users: a change at the top
            weighs more (Fagin, Kumar, Sivakumar 2003, "Comparing top k lists").
        same_first: share of users whose first item is the same.
    """

    overlap: float
    jaccard: float
    average_overlap: float
    same_first: float


def moves(before: NDArray[np.int64], after: NDArray[np.int64]) -> Moves:
    """Compare two sets of lists, each of shape (u, k), u and k at least 1, best first, no item twice in a list.

    A place without an item holds -1 and has nothing in common with any other.
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
    return Moves(
        overlap=float((common / k).mean()),
        jaccard=float((common / union).mean()),
        average_overlap=float((shared / (depth + 1)).mean()),
        same_first=float(same[:, 0, 0].mean()),
    )
