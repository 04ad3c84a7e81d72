"""The spread of a metric of the whole system by leaving groups of users out."""

from __future__ import annotations

import numpy as np

from cfbench.evaluation.metrics.sums import Pooled

_MOST_GROUPS = 100


def jackknife_deviation(metric: Pooled, seed: int) -> float:
    """Return the standard error of a metric over users, by the delete-a-group jackknife (Kott 2001).

    ``sqrt((g - 1) / g sum_j (v_j - mean v)^2)``, ``v_j`` the metric without the j-th of g random groups of users. It
    errs to the safe side for what counts distinct things (Efron and Stein 1981): items seen once are what another
    sample of users would miss.

    Args:
        metric: sums over users.
        seed: deals the users to groups.

    Returns:
        The standard error in the metric's unit; NaN for fewer than two users.
    """
    n_users = len(metric)
    n_groups = min(_MOST_GROUPS, n_users)
    if n_groups < 2:
        return float("nan")
    group = np.random.default_rng(seed).permutation(n_users) % n_groups
    members = (group == np.arange(n_groups)[:, np.newaxis]).astype(np.float64)
    of_group = np.asarray(members @ metric.sums)
    without = metric.finish(of_group.sum(axis=0) - of_group)
    squares = np.square(without - without.mean()).sum()
    return float(np.sqrt(squares * (n_groups - 1) / n_groups))
