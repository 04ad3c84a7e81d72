"""The myFM library, quietly: Gibbs samples of a factorisation machine over users and items."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from cfbench.model import Ratings
from cfbench_myfm.posterior import Weights
from cfbench_myfm.side import Side

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that pkg_resources, which it asks for its version, is to go away
    import myfm


@dataclass(frozen=True, eq=False)
class Sample:
    """One draw from the posterior.

    Attributes:
        offset: ``w0``.
        users: the weights of the users' columns.
        items: the weights of the items' columns.
        variance: of the ratings about what the sample predicts, in squared rating units.
    """

    offset: float
    users: Weights
    items: Weights
    variance: float


def draw(
    train: Ratings,
    users: Side,
    items: Side,
    *,
    n_factors: int,
    iterations: int,
    init_std: float,
    seed: int,
    listen: Callable[[int, Sample], None],
) -> None:
    """Run the Gibbs sampler; ``listen(number, sample)`` receives every sample, from 0 on.

    Users' and items' columns are given as blocks that ratings refer to, so an iteration costs what there are ratings
    and entries of the two sides' matrices, not their product. Ratings are taken about their mean.
    """
    machine = myfm.MyFMRegressor(rank=n_factors, init_stdev=init_std, random_seed=seed)

    def report(number: int, sampled: Any, priors: Any, _history: Any) -> tuple[bool, None]:
        listen(number, _sample(sampled, priors, users))
        return False, None

    with redirect_stderr(io.StringIO()):  # where its progress bar goes
        machine.fit(
            csr_matrix((len(train), 0)),
            train.ratings.astype(np.float64) - train.mean,
            X_rel=[_block(train.users, users), _block(train.items, items)],
            n_iter=iterations,
            n_kept_samples=1,  # what is needed of the others is listened to
            group_shapes=[*users.groups, *items.groups],
            callback=report,
        )


def _block(codes: NDArray[np.int32], side: Side) -> Any:
    return myfm.RelationBlock(codes.tolist(), csr_matrix(side.matrix))


def _sample(sampled: Any, priors: Any, users: Side) -> Sample:
    """Copy a sample out of the library's memory; its columns are the users', then the items'."""
    linear, factors = np.array(sampled.w), np.array(sampled.V)
    width, groups = sum(users.groups), len(users.groups)
    means, mean_factors = np.array(priors.mu_w), np.array(priors.mu_V)
    return Sample(
        offset=float(sampled.w0),
        users=Weights(linear[:width], factors[:width], float(means[0]), mean_factors[0]),
        items=Weights(linear[width:], factors[width:], float(means[groups]), mean_factors[groups]),
        variance=1 / float(priors.alpha),
    )
