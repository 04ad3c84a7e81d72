"""From ratings to the confidence that a user likes an item."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from cfbench.model import Ratings


def confidences(train: Ratings, *, alpha: float, positive_from: float) -> csr_matrix:
    """Return the confidence matrix, shape (n_users, n_items), float32.

    With the rating as a share of its scale, ``w(u, i) = (r(u, i) - low) / (high - low)`` in [0, 1]::

        c(u, i) = 1 + alpha * w(u, i)    where w(u, i) >= positive_from, else no entry

    after Hu, Koren and Volinsky (ICDM 2008), whose ``1 + alpha * count`` this is with ratings for counts.
    """
    weights = (train.ratings - train.scale.low) / train.scale.width
    kept = weights >= positive_from
    values = (1 + alpha * weights[kept]).astype(np.float32)
    shape = (train.n_users, train.n_items)
    return csr_matrix((values, (train.users[kept], train.items[kept])), shape=shape)
