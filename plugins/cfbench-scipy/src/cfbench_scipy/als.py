"""Alternating least squares for explicit ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.model import Codes, EpochReport, FitContext, Ratings, require_at_least, require_positive, require_whole
from cfbench_baselines.damped_biases import DampedBiases
from cfbench_scipy.biased_factors import AnswersFromFactors, BiasedFactors
from cfbench_scipy.grouped import Grouped

_CELLS = 1 << 22  # numbers gathered at a time: 32 MiB


@dataclass
class AlternatingLeastSquares(AnswersFromFactors, kind="cfbench-scipy.als.2"):
    """Biases and factors by regularised alternating least squares, for ratings.

    ``r(u, i) = mu + b_u + b_i + p_u . q_i``. With the items fixed, every user's ``(p_u, b_u)`` minimises::

        sum over i rated by u of (r - mu - b_i - b_u - p_u . q_i)^2
            + n_u^weighting (regularization |p_u|^2 + regularization_biases b_u^2)

    and then every item's likewise; ``n_u`` is the number of ratings. Unknown users and items have biases and factors 0.
    Normal equations are made and solved for many users at a time, those of about equally many ratings together.
    Zhou et al., "Large-scale parallel collaborative filtering for the Netflix prize", AAIM 2008 (weighting 1); Koren,
    Bell and Volinsky, "Matrix factorization techniques for recommender systems", Computer 2009, for the biases.

    Attributes:
        n_factors: length of the factor vectors.
        epochs: alternations over users and items.
        regularization: weight of the squared factors.
        regularization_biases: weight of the squared biases.
        weighting: power of an entity's number of ratings that both weights are multiplied by: 1 is Zhou's weighting,
            0 the same penalty for all.
        init_std: standard deviation of the first item factors.
    """

    n_factors: int = 32
    epochs: int = 12
    regularization: float = 0.9
    regularization_biases: float = 0.3
    weighting: float = 0.6
    init_std: float = 0.1

    seed_names: ClassVar = {"epochs": "iterations"}

    def __post_init__(self) -> None:
        require_whole(self, 1, "n_factors", "epochs")
        require_at_least(self, 0, "weighting")
        require_positive(self, "regularization", "regularization_biases", "init_std")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Alternate; the seed draws the first item factors."""
        by_user, by_item = Grouped.by(train.users, train.n_users), Grouped.by(train.items, train.n_items)
        centred = train.ratings.astype(np.float64) - train.mean
        items = np.zeros((train.n_items, self.n_factors + 1))  # the bias is the last column
        items[:, :-1] = self.init_std * context.rng().standard_normal((train.n_items, self.n_factors))
        with threadpool_limits(context.threads, user_api="blas"):
            for epoch in range(1, self.epochs + 1):
                users = self._solved(by_user, train.items, items, centred)
                items = self._solved(by_item, train.users, users, centred)
                biases = DampedBiases(train.mean, np.append(users[:, -1], 0), np.append(items[:, -1], 0))
                self.factors_ = BiasedFactors.of(biases, users[:, :-1], items[:, :-1])
                loss = np.mean((train.ratings - self.factors_.of_pairs(train.users, train.items)) ** 2)
                context.on_epoch(EpochReport(epoch, self.epochs, train_loss=float(loss)))

    def _solved(
        self, side: Grouped, others: Codes, fixed: NDArray[np.float64], centred: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return factors and, last, bias of every entity of ``side``, shape (n, k + 1), those of the other being fixed.

        ``others`` are the other side's codes of all ratings, shape (m,), ``fixed`` its factors and biases, ``centred``
        the ratings without their mean.
        """
        width = self.n_factors + 1
        solved = np.zeros((len(side.starts) - 1, width))
        penalties = np.append(np.full(self.n_factors, self.regularization), self.regularization_biases)
        for entities, rows, real in side.batches(_CELLS // width, width):
            # The normal equations of b entities at a time, X'X + penalty; padding rows are 0 and add nothing.
            rated = fixed[others[rows]]  # (b, w, k + 1)
            targets = np.where(real, centred[rows] - rated[:, :, -1], 0)
            rated[:, :, -1] = 1
            rated[~real] = 0
            weights = real.sum(axis=1).astype(np.float64) ** self.weighting
            normal = rated.transpose(0, 2, 1) @ rated  # (b, k + 1, k + 1)
            normal[:, np.arange(width), np.arange(width)] += weights[:, None] * penalties
            sums = rated.transpose(0, 2, 1) @ targets[:, :, None]
            solved[entities] = np.linalg.solve(normal, sums)[:, :, 0]
        return solved
