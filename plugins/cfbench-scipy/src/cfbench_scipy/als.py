"""Alternating least squares for explicit ratings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import Embeddings, EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_baselines.damped_biases import DampedBiases
from cfbench_scipy.biased_factors import BiasedFactors, with_zero_row
from cfbench_scipy.grouped import Grouped

_KIND = "cfbench-scipy.als.1"
_CELLS = 1 << 22  # numbers gathered at a time: 32 MiB


@dataclass
class AlternatingLeastSquares:
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
        iterations: alternations over users and items.
        regularization: weight of the squared factors.
        regularization_biases: weight of the squared biases.
        weighting: power of an entity's number of ratings that both weights are multiplied by: 1 is Zhou's weighting,
            0 the same penalty for all.
        init_std: standard deviation of the first item factors.
    """

    n_factors: int = 32
    iterations: int = 12
    regularization: float = 0.9
    regularization_biases: float = 0.3
    weighting: float = 0.6
    init_std: float = 0.1

    def __post_init__(self) -> None:
        require_at_least(self, 1, "n_factors", "iterations")
        require_at_least(self, 0, "weighting")
        require_positive(self, "regularization", "regularization_biases", "init_std")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Alternate; the seed draws the first item factors."""
        by_user, by_item = Grouped.by(train.users, train.n_users), Grouped.by(train.items, train.n_items)
        centred = train.ratings.astype(np.float64) - train.mean
        items = np.zeros((train.n_items, self.n_factors + 1))  # the bias is the last column
        items[:, :-1] = self.init_std * context.rng().standard_normal((train.n_items, self.n_factors))
        with threadpool_limits(context.threads, user_api="blas"):
            for iteration in range(self.iterations):
                users = self._solved(by_user, train.items, items, centred)
                items = self._solved(by_item, train.users, users, centred)
                self.factors_ = BiasedFactors(
                    DampedBiases(train.mean, np.append(users[:, -1], 0), np.append(items[:, -1], 0)),
                    with_zero_row(users[:, :-1]),
                    with_zero_row(items[:, :-1]),
                )
                loss = np.mean((train.ratings - self.factors_.of_pairs(train.users, train.items)) ** 2)
                context.on_epoch(EpochReport(iteration + 1, self.iterations, train_loss=float(loss)))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i + p_u . q_i``, shape (m,)."""
        return self.factors_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the predictions for every training item, shape (b, n_items)."""
        return self.factors_.of_rows(users)

    def embeddings(self) -> Embeddings:
        """Return factors and biases; with the mean they add up to the prediction."""
        return self.factors_.embeddings()

    def save(self, directory: Path) -> None:
        """Write biases and factors."""
        save_parts(directory, _KIND, self.factors_.arrays(), {"parameters": asdict(self)})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.factors_ = BiasedFactors.among(arrays)
        return model

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
            met = fixed[others[rows]]  # (b, w, k + 1)
            targets = np.where(real, centred[rows] - met[:, :, -1], 0)
            met[:, :, -1] = 1
            met[~real] = 0
            weights = real.sum(axis=1).astype(np.float64) ** self.weighting
            normal = met.transpose(0, 2, 1) @ met  # (b, k + 1, k + 1)
            normal[:, np.arange(width), np.arange(width)] += weights[:, None] * penalties
            sums = met.transpose(0, 2, 1) @ targets[:, :, None]
            solved[entities] = np.linalg.solve(normal, sums)[:, :, 0]
        return solved
