"""Users by how mainstream their taste is: niche, diverse, blockbuster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Evaluation

GROUPS = ("niche", "diverse", "blockbuster")
"""From the least to the most mainstream: the lowest fifth, the three fifths between, the highest fifth."""

DEFINITION = (
    "groups: test users with profile and list, by the share of head items in the profile: lowest 20 % niche, "
    "next 60 % diverse, highest 20 % blockbuster; ties by mean phi of the profile, then by place in the user table"
)


def taste_groups(evaluation: Evaluation) -> NDArray[np.int64]:
    """Return the index into ``GROUPS`` of every test user, shape (t,); -1 without profile or without list.

    A niche or blockbuster group is a fifth of the users, rounded down. Head items are those of the smallest set
    with 80 % of the training interactions.
    """
    sizes = evaluation.profile_sizes
    grouped = np.flatnonzero((sizes > 0) & (evaluation.list_lengths > 0))
    head_share = evaluation.sum_over_profiles(evaluation.head)[grouped] / sizes[grouped]
    mean_phi = evaluation.sum_over_profiles(evaluation.item_popularity)[grouped] / sizes[grouped]
    order = grouped[np.lexsort((mean_phi, head_share))]  # stable: equals stay in the order of the user table
    fifth = len(order) // 5
    groups = np.full(len(sizes), -1)
    groups[order] = 1
    groups[order[:fifth]] = 0
    groups[order[len(order) - fifth :]] = 2
    return groups
