"""One pass of stochastic gradient descent over all ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench_numba.compiled import compiled

LANES = 16
"""Factors are stored in multiples of this, 0 behind the last one: whole vector registers, no remainder."""


@compiled
def descend(
    order: NDArray[np.int64],
    firsts: NDArray[np.int64],
    starts: NDArray[np.int64],
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    ratings: NDArray[np.float32],
    user_factors: NDArray[np.float32],
    item_factors: NDArray[np.float32],
    user_biases: NDArray[np.float32],
    item_biases: NDArray[np.float32],
    steps: NDArray[np.float32],
    decays: NDArray[np.float32],
) -> float:
    """Visit the tiles in ``order`` and take a step for every rating; return the sum of squared errors before it.

    With ``e = r - b_u - b_i - p_u . q_i``, step s and decay d, which biases and factors have of their own::

        b_u += s (e - d b_u)         p_u += s (e q_i - d p_u)
        b_i += s (e - d b_i)         q_i += s (e p_u - d q_i)

    Args:
        order: tiles, shape (t,), int64.
        firsts: the row of each tile to begin at, shape (t,), int64; the rows before it come last.
        starts: see :class:`cfbench_numba.tiles.Tiles`, likewise the three columns.
        users: shape (n,), int32.
        items: shape (n,), int32.
        ratings: shape (n,), float32.
        user_factors: ``p``, shape (n_users + 1, width), float32, width a multiple of LANES; changed in place.
        item_factors: ``q``, likewise.
        user_biases: shape (n_users + 1,), float32, changed in place.
        item_biases: likewise.
        steps: step of biases and of factors, shape (2,), float32.
        decays: likewise, ``d``.
    """
    width = user_factors.shape[1]
    total = 0.0
    step, decay = steps[1], decays[1]
    for tile in order:
        first, after = firsts[tile], starts[tile + 1]
        n = after - starts[tile]
        for turn in range(n):
            row = first + turn
            if row >= after:
                row -= n
            user, item = users[row], items[row]
            p, q = user_factors[user], item_factors[item]
            product = np.float32(0)
            for f in range(width):
                product += p[f] * q[f]
            error = ratings[row] - user_biases[user] - item_biases[item] - product
            total += error * error
            user_biases[user] += steps[0] * (error - decays[0] * user_biases[user])
            item_biases[item] += steps[0] * (error - decays[0] * item_biases[item])
            for f in range(width):
                before = p[f]
                p[f] = before + step * (error * q[f] - decay * before)
                q[f] = q[f] + step * (error * before - decay * q[f])
    return total
