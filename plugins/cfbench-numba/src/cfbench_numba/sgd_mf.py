"""Biased matrix factorisation by compiled stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import (
    Codes,
    Embeddings,
    EpochReport,
    FitContext,
    Floats,
    Matrix,
    Ratings,
    RatingScale,
    Saved,
    Vector,
    pair_products,
    require_at_least,
    require_positive,
    require_whole,
)
from cfbench_numba.descent import LANES, descend
from cfbench_numba.tiles import Tiles


@dataclass
class SGDMatrixFactorization(
    Saved,
    kind="cfbench-numba.sgd-mf.2",
    mean_=float,
    user_factors_=Matrix[np.float32],
    item_factors_=Matrix[np.float32],
    user_biases_=Vector[np.float32],
    item_biases_=Vector[np.float32],
):
    """User and item biases and factors, learned by stochastic gradient descent (Funk's SVD).

    ``r(u, i) = mu + b_u + b_i + p_u . q_i``, minimising the squared error plus, for every rating,
    ``regularization_biases (b_u^2 + b_i^2) + regularization (|p_u|^2 + |q_i|^2)``. The step falls in a straight line
    from ``learning_rate`` in the first epoch to ``final_learning_rate`` in the last. Unknown users and items have
    biases and factors 0. Ratings are visited in tiles whose factors fit in cache, in another order of tiles each epoch
    (Gemulla et al., "Large-scale matrix factorization with distributed stochastic gradient descent", KDD 2011, for
    the blocks); all is single precision. Funk, "Netflix update: try this at home", 2006; Koren, Bell and Volinsky,
    "Matrix factorization techniques for recommender systems", Computer 2009. One thread, whatever the context offers.

    Attributes:
        n_factors: length of the factor vectors.
        epochs: passes over the ratings.
        learning_rate: step of the first epoch.
        final_learning_rate: step of the last epoch, or None for that of the first.
        regularization: weight of the squared factors.
        regularization_biases: weight of the squared biases, or None for that of the factors.
        init_std: standard deviation of the first factors, normal about 0; biases start at 0.
    """

    n_factors: int = 100
    epochs: int = 60
    learning_rate: float = 0.02
    final_learning_rate: float | None = 0.001
    regularization: float = 0.1
    regularization_biases: float | None = 0.01
    init_std: float = 0.03

    def __post_init__(self) -> None:
        require_whole(self, 1, "n_factors", "epochs")
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "final_learning_rate", "regularization", "regularization_biases", "init_std")

    @classmethod
    def warm_up(cls) -> None:
        """Compile, or fetch what was compiled before."""
        codes, stars = np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.float32)
        smallest = Ratings(codes, codes, stars, None, 1, 1, RatingScale(0, 1))
        cls(n_factors=1, epochs=1).fit(smallest, FitContext(seed=0))

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn; the seed draws the first factors and the order of ratings. Raises ValueError where it diverges."""
        rng = context.rng()
        self.mean_ = train.mean
        self.user_factors_ = self._first_factors(train.n_users, rng)
        self.item_factors_ = self._first_factors(train.n_items, rng)
        self.user_biases_ = np.zeros(train.n_users + 1, dtype=np.float32)
        self.item_biases_ = np.zeros(train.n_items + 1, dtype=np.float32)
        tiles = Tiles.of(train, self.user_factors_.shape[1], rng)
        last = self.learning_rate if self.final_learning_rate is None else self.final_learning_rate
        for epoch, step in enumerate(np.linspace(self.learning_rate, last, self.epochs).tolist(), start=1):
            loss = self._epoch(tiles, step, rng) / len(train)
            if not np.isfinite(loss):
                raise ValueError(f"learning_rate={self.learning_rate!r}: the error grew beyond all bounds; use less")
            context.on_epoch(EpochReport(epoch, self.epochs, train_loss=loss))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i + p_u . q_i``, shape (m,)."""
        biases = self.mean_ + self.user_biases_[users].astype(np.float64) + self.item_biases_[items]
        return biases + pair_products(self.user_factors_, self.item_factors_, users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the predictions for every training item, shape (b, n_items)."""
        scores = self.user_factors_[users] @ self.item_factors_[:-1].T
        scores += np.float32(self.mean_) + self.user_biases_[users, None]
        scores += self.item_biases_[:-1]
        return scores

    def embeddings(self) -> Embeddings:
        """Return factors and biases; with the mean they add up to the prediction."""
        return Embeddings(
            users=self.user_factors_[:-1, : self.n_factors],
            items=self.item_factors_[:-1, : self.n_factors],
            user_biases=self.user_biases_[:-1],
            item_biases=self.item_biases_[:-1],
            offset=self.mean_,
        )

    def _first_factors(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw factors, shape (n + 1, width), 0 for the unknown in the last row and in what pads the width."""
        factors = np.zeros((n + 1, -(-self.n_factors // LANES) * LANES), dtype=np.float32)
        drawn = rng.standard_normal((n, self.n_factors), dtype=np.float32)
        factors[:-1, : self.n_factors] = np.float32(self.init_std) * drawn
        return factors

    def _epoch(self, tiles: Tiles, step: float, rng: np.random.Generator) -> float:
        """Visit every rating once; return the sum of squared errors."""
        decay = self.regularization
        of_biases = decay if self.regularization_biases is None else self.regularization_biases
        order = rng.permutation(len(tiles.starts) - 1)
        firsts = rng.integers(tiles.starts[:-1], np.maximum(tiles.starts[1:], tiles.starts[:-1] + 1))
        squares: float = descend(
            order,
            firsts,
            tiles.starts,
            tiles.users,
            tiles.items,
            tiles.ratings,
            self.user_factors_,
            self.item_factors_,
            self.user_biases_,
            self.item_biases_,
            np.array([step, step], dtype=np.float32),
            np.array([of_biases, decay], dtype=np.float32),
        )
        return squares
