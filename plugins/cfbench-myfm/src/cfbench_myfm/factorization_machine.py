"""Bayesian factorisation machines over users, items, histories and side information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from cfbench.model import (
    Codes,
    Embeddings,
    EpochReport,
    Features,
    FitContext,
    Floats,
    Ratings,
    Saved,
    pair_products,
    require_positive,
    require_whole,
)
from cfbench_myfm.posterior import Posterior
from cfbench_myfm.sampler import Sample, draw
from cfbench_myfm.side import Side


@dataclass
class BayesianFactorizationMachine(
    Saved, kind="cfbench-myfm.myfm.2", users_=Posterior, items_=Posterior, offset_=float
):
    """A factorisation machine averaged over Gibbs samples of its posterior: no step sizes, no regularisation to tune.

    Each sample predicts ``r(u, i) = mu + w0 + c_u + c_i + s_u . s_i``; the answer is the mean over all that are kept.
    ``s`` sums up the factors of an entity's columns: its own; with ``history``, those of the entities it has ratings
    with (for a user the rated items, as in SVD++, for an item its raters); with ``side_information``, those of its
    features. ``c`` holds their linear weights and their products among themselves. See :mod:`cfbench_myfm.side` and
    :func:`cfbench_myfm.posterior.summed`. Unknown users and items have the expectation of the prior, cold-start
    entities also what was learned of their features. Memory grows with ``iterations * n_factors`` numbers for each user
    and item. One thread. Rendle, "Factorization machines", ICDM 2010; Freudenthaler, Schmidt-Thieme and Rendle,
    "Bayesian factorization machines", NIPS workshop 2011; Rendle, Zhang and Koren, "On the difficulty of evaluating
    baselines", 2019; the sampler is Ohtsuki's myFM.

    Attributes:
        n_factors: length of the factor vectors.
        iterations: Gibbs iterations.
        burn_in: how many of the first are thrown away.
        history: learn from the pairs of users and items that have a rating, too.
        side_information: learn from the features of users and items, where there are any.
        init_std: standard deviation of the first factors.
    """

    n_factors: int = 10
    iterations: int = 200
    burn_in: int = 10
    history: bool = True
    side_information: bool = True
    init_std: float = 0.1

    def __post_init__(self) -> None:
        require_whole(self, 1, "n_factors", "iterations")
        require_whole(self, 0, "burn_in")
        require_positive(self, "init_std")
        if self.burn_in >= self.iterations:
            raise ValueError(f"burn_in={self.burn_in!r}: expected less than iterations={self.iterations!r}")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Sample; the seed starts the chain. Reports the variance of the ratings about each sample as training loss."""
        users, items = self._sides(train)
        samples = self.iterations - self.burn_in
        self.users_ = Posterior.empty(users, samples, self.n_factors)
        self.items_ = Posterior.empty(items, samples, self.n_factors)
        self.offset_ = train.mean

        def listen(number: int, sample: Sample) -> None:
            kept = number - self.burn_in
            if kept >= 0:
                self.users_.keep(kept, users, sample.users)
                self.items_.keep(kept, items, sample.items)
                self.offset_ += sample.offset / samples
            context.on_epoch(EpochReport(number + 1, self.iterations, train_loss=sample.variance))

        with threadpool_limits(context.threads, user_api="blas"):
            draw(
                train,
                users,
                items,
                n_factors=self.n_factors,
                iterations=self.iterations,
                init_std=self.init_std,
                seed=context.seed % 2**31,
                listen=listen,
            )
        self.after_load()

    def after_load(self) -> None:
        """Start without cold-start entities."""
        self.add_cold_entities(None, None)

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Give cold-start entities vectors and biases by what was learned of their features."""
        self.user_vectors_, self.user_biases_ = self.users_.extended(users)
        self.item_vectors_, self.item_biases_ = self.items_.extended(items)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the mean over samples, shape (m,)."""
        biases = self.offset_ + self.user_biases_[users] + self.item_biases_[items]
        return biases + pair_products(self.user_vectors_, self.item_vectors_, users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return the predictions for every training item, shape (b, n_items)."""
        n_items = self.items_.n
        scores = self.user_vectors_[users] @ self.item_vectors_[:n_items].T
        scores += (self.offset_ + self.user_biases_[users, None]).astype(np.float32)
        scores += self.item_biases_[:n_items].astype(np.float32)
        return scores

    def embeddings(self) -> Embeddings:
        """Return the vectors of all kept samples side by side, and biases; they add up to the prediction.

        Samples may turn their axes, so vectors are put side by side, ``(iterations - burn_in) * n_factors`` numbers
        each, and not averaged: only so do products of two users, two items or both mean what they mean in each sample.
        """
        n_users, n_items = self.users_.n, self.items_.n
        return Embeddings(
            users=self.user_vectors_[:n_users],
            items=self.item_vectors_[:n_items],
            user_biases=self.user_biases_[:n_users],
            item_biases=self.item_biases_[:n_items],
            offset=self.offset_,
        )

    def _sides(self, train: Ratings) -> tuple[Side, Side]:
        """Return the columns of users and of items, with histories and features where the parameters say so."""
        features = (train.user_features, train.item_features) if self.side_information else (None, None)
        history = (train.items, train.users) if self.history else (None, None)
        return (
            Side.of(train.users, history[0], train.n_users, train.n_items, features[0]),
            Side.of(train.items, history[1], train.n_items, train.n_users, features[1]),
        )
