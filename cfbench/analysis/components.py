"""Principal components of item factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Floats


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components, the most variable first.

    Attributes:
        directions: unit vectors, shape (f, f), one a row; the entry of largest size is positive, so that the sign is
            the same everywhere.
        explained: share of the variance along each, shape (f,), sums to 1, or all 0 where nothing varies.
        coordinates: of every item about the mean, shape (n, f).
    """

    directions: NDArray[np.float64]
    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]


def principal_components(vectors: Floats) -> Components:
    """Return all components of ``vectors``, shape (n, f).

    Eigenvectors of the covariance, in double precision: f x f however many items there are. Source: Hotelling 1933,
    "Analysis of a complex of statistical variables into principal components".
    """
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    variances, columns = np.linalg.eigh(centred.T @ centred)
    directions = columns.T[::-1]
    variances = variances[::-1].clip(min=0.0)
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, np.newaxis]
    total = variances.sum()
    explained = variances / total if total > 0 else np.zeros_like(variances)
    return Components(directions, explained, centred @ directions.T)
