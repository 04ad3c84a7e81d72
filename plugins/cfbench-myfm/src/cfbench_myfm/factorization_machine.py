"""Bayesian factorisation machines over users, items, histories and side information."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.model.features import Features
from cfbench.model.limits import require_at_least, require_positive
from cfbench.model.protocols import Embeddings, EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_myfm.posterior import Posterior
from cfbench_myfm.sampler import Sample, draw
from cfbench_myfm.side import Side

_KIND = "cfbench-myfm.myfm.1"
_CELLS = 1 << 22  # numbers multiplied together in one chunk


@dataclass
class BayesianFactorizationMachine:
    """A factorisation machine averaged over Gibbs samples of its posterior: no step sizes, no regularisation to tune.

    Each sample predicts ``r(u, i) = mu + w0 + c_u + c_i + s_u . s_i``; the answer is the mean over all that are kept.
    ``s`` sums up the factors of an entity's columns: its own; with ``history``, those of whom it met in training (for
    a user the items they rated, as in SVD++, for an item its raters); with ``side_information``, those of its
    features. ``c`` holds their linear weights and their products among themselves. See :mod:`cfbench_myfm.side` and
    :func:`cfbench_myfm.posterior.summed`. Unknown users and items have what the prior lets expect of one of whom
    nothing is known, newcomers also what their features say. Memory grows with ``iterations * n_factors`` numbers for
    each user and item. One thread. Rendle, "Factorization machines", ICDM 2010; Freudenthaler, Schmidt-Thieme and
    Rendle, "Bayesian factorization machines", NIPS workshop 2011; Rendle, Zhang and Koren, "On the difficulty of
    evaluating baselines", 2019; the sampler is Ohtsuki's myFM.

    Attributes:
        n_factors: length of the factor vectors.
        iterations: Gibbs iterations.
        burn_in: how many of the first are thrown away.
        history: learn from who rated what, too.
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
        require_at_least(self, 1, "n_factors", "iterations")
        require_at_least(self, 0, "burn_in")
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
        self.add_cold_entities(None, None)

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Give newcomers vectors and biases by what was learned of their features."""
        self.user_vectors_, self.user_biases_ = _with_newcomers(self.users_, users)
        self.item_vectors_, self.item_biases_ = _with_newcomers(self.items_, items)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the mean over samples, shape (m,)."""
        answers = self.offset_ + self.user_biases_[users] + self.item_biases_[items]
        chunk = max(1, _CELLS // self.user_vectors_.shape[1])
        for start in range(0, len(users), chunk):
            part = slice(start, start + chunk)
            answers[part] += np.einsum("mk,mk->m", self.user_vectors_[users[part]], self.item_vectors_[items[part]])
        return answers

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

    def save(self, directory: Path) -> None:
        """Write the kept samples as arrays; the library is not needed to answer from them."""
        arrays = self.users_.arrays("users.") | self.items_.arrays("items.")
        save_parts(directory, _KIND, arrays, {"parameters": asdict(self), "offset": self.offset_})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read back what :meth:`save` wrote; raises StoreError where it is anything else."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**facts["parameters"])
        model.offset_ = facts["offset"]
        model.users_, model.items_ = Posterior.among("users.", arrays), Posterior.among("items.", arrays)
        model.add_cold_entities(None, None)
        return model

    def _sides(self, train: Ratings) -> tuple[Side, Side]:
        user_features, item_features = (
            (train.user_features, train.item_features) if self.side_information else (None, None)
        )
        users, items = train.users, train.items
        met_by_users, met_by_items = (items, users) if self.history else (None, None)
        return (
            Side.of(users, met_by_users, train.n_users, train.n_items, user_features),
            Side.of(items, met_by_items, train.n_items, train.n_users, item_features),
        )


def _with_newcomers(side: Posterior, cold_entities: Features | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return vectors, samples side by side, and biases, the newcomers' before those of the unknown."""
    vectors, biases = (side.vectors, side.biases) if cold_entities is None else side.extended(cold_entities)
    return vectors.reshape(len(vectors), -1), biases
