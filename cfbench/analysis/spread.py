"""How embeddings are distributed: lengths of the vectors and values of their entries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cfbench.model.protocols import Embeddings

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def measured_parts(shown: Embeddings) -> Mapping[str, NDArray[np.float64]]:
    """Return the numbers whose distribution is looked at, by name, each flat.

    Lengths (Euclidean norms) of user and item vectors, their entries, and biases where there are any.
    """
    parts: dict[str, NDArray[np.float64]] = {}
    for side, vectors in (("user", shown.users), ("item", shown.items)):
        wide = vectors.astype(np.float64)
        parts |= {f"{side} vectors: length": np.linalg.norm(wide, axis=1), f"{side} vectors: entries": wide.ravel()}
    biases = {"user biases": shown.user_biases, "item biases": shown.item_biases}
    return parts | {name: values.astype(np.float64) for name, values in biases.items() if values is not None}


def quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return :data:`QUANTILES` of ``values``, by linear interpolation, shape (7,); NaN where there are none."""
    return np.quantile(values, QUANTILES) if len(values) else np.full(len(QUANTILES), np.nan)
