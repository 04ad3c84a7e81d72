"""What a user has rated highest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Ratings


def favourite_rows(train: Ratings, user: int, n: int) -> NDArray[np.int64]:
    """Return the rows of the user's ``n`` highest training ratings, best first; of equal ones the latest first.

    Without times the order of the rows stands in for them. A user without training rows has none.
    """
    rows = np.flatnonzero(train.users == user)
    times = rows if train.timestamps is None else train.timestamps[rows]
    return rows[np.lexsort((-rows, -times, -train.ratings[rows]))][:n]
