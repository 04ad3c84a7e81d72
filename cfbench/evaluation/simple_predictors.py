"""Predictors that the harness computes itself from the training part, to tell what simple means reach on a split."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.evaluation.metrics.evaluation import Evaluation, of_split
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import Codes, Ratings

if TYPE_CHECKING:  # scipy.sparse takes long to import, and most models need no second look
    from scipy.sparse import csr_array

LIST_LENGTH = 10  # places of the lists
_DAMPING = 5.0  # ratings at which a bias is halved
_ROUNDS = 3  # alternations of the biases: they have converged to 1 % of the error by then
_RANK = 8
# Penalties per rating, of which one suits, from ratings without noise to very noisy ones, and their alternations: few
# where they go on from the penalty before.
_PENALTIES = {0.01: 10, 0.03: 3, 0.1: 3, 0.3: 3}
_MOST_ROWS = 2_000_000  # training rows that factors are fitted on: seconds
_MOST_LISTS = 1000  # users that lists are made for: shares are known to 1.6 % then
_AT_ONCE = 64  # lists made at a time: so many rows of scores are in memory

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimplePredictors:
    """Predicted ratings, and hits of lists, by simple means; computed on first use, once for all models of a split.

    Attributes:
        split: the split.
    """

    split: Split

    @of_split
    def damped_biases(self) -> Floats:
        """Predicted ratings of the test rows by mean, item and user biases, clipped to the scale, shape (m,)."""
        train, test = self.split.train, self.split.test
        users, items = _damped_biases(train)
        return (train.mean + users[test.users] + items[test.items]).clip(train.scale.low, train.scale.high)

    @property
    def by_factors(self) -> Iterator[Floats]:
        """Predictions by biases and factors of rank 8, shape (m,), ever better ones, computed as they are asked for.

        Some penalties are tried; one that errs more than the best before, at first the biases alone, is left out. The
        mean of all is the last. That is chosen by the test ratings: no model may do so, but a yardstick errs to the
        safe side. NaN for users who are left out where training is large.
        """
        return copy(self._by_factors)

    @property
    def low_rank(self) -> Floats:
        """The last of :attr:`by_factors`, shape (m,)."""
        *_, best = self.by_factors
        return best

    @of_split
    def _by_factors(self) -> Iterator[Floats]:
        return tee(self._factored(), 1)[0]  # copies of it share what one of them has computed

    def _factored(self) -> Iterator[Floats]:
        from scipy.sparse import csr_array  # noqa: PLC0415 - see the head of this module

        train, test = self.split.train, self.split.test
        users, items = _damped_biases(train)
        step = 1 + len(train) // _MOST_ROWS
        taken = train.users % step == 0
        pairs, shape = (train.users[taken], train.items[taken]), (train.n_users + 1, train.n_items + 1)
        left = (train.ratings - train.mean - users[train.users] - items[train.items])[taken]
        ones, errors = csr_array((np.ones(len(left)), pairs), shape=shape), csr_array((left, pairs), shape=shape)
        tested = (test.users % step == 0) | (test.users == train.n_users)

        def error(predicted: Floats) -> float:
            return float(np.square(predicted - test.ratings)[tested].sum())

        best, tried = self.damped_biases, list[Floats]()
        for of_users, of_items in _factors(ones, errors):
            moved = self.damped_biases + np.einsum("rk,rk->r", of_users[test.users], of_items[test.items])
            tried.append(moved.clip(train.scale.low, train.scale.high))
            if error(tried[-1]) < error(best):
                best = tried[-1]
                yield np.where(tested, best, np.nan)
        yield np.where(tested, min(best, np.mean(tried, axis=0), key=error), np.nan)

    @of_split
    def rated_before(self) -> NDArray[np.bool_]:
        """Whether training has the pair of a test row, shape (m,)."""
        trained, tested = self._pairs
        ordered = np.sort(trained)
        return np.asarray(ordered[np.minimum(np.searchsorted(ordered, tested), len(ordered) - 1)] == tested)

    @of_split
    def earlier_ratings(self) -> Floats:
        """A rating that training has of the pair of a test row, NaN where it has none, shape (m,)."""
        earlier = np.full(len(self.split.test), np.nan)
        if self.rated_before.any():
            trained, tested = self._pairs
            order = np.argsort(trained)
            at = order[np.searchsorted(trained, tested[self.rated_before], sorter=order)]
            earlier[self.rated_before] = self.split.train.ratings[at]
        return earlier

    @property
    def _pairs(self) -> list[NDArray[np.int64]]:
        """One number for each pair of codes, of training and of the test; unknown codes are in no pair of training."""
        width = self.split.train.n_items + 1
        return [one.users.astype(np.int64) * width + one.items for one in (self.split.train, self.split.test)]

    @of_split
    def listed_users(self) -> NDArray[np.int64]:
        """Which test users lists are made for, at equal distances, as indices, ascending, shape (s,)."""
        n_users = len(self.split.test_user_positions)
        return np.unique(np.linspace(0, n_users - 1, min(n_users, _MOST_LISTS)).astype(np.int64))

    @of_split
    def popularity_hits(self) -> NDArray[np.bool_]:
        """Which places of lists by popularity hold a relevant item of the user, shape (s, 10)."""
        return self._hits(similar=False)

    @of_split
    def cosine_hits(self) -> NDArray[np.bool_]:
        """The same of lists by the summed cosine similarity of an item to those that the user has rated."""
        return self._hits(similar=True)

    def _hits(self, *, similar: bool) -> NDArray[np.bool_]:
        n_items = self.split.train.n_items
        lists = np.full((len(self.split.test_user_positions), LIST_LENGTH), n_items, dtype=np.int32)
        truth = Evaluation(self.split, ModelOutput(None, lists))
        rated = truth.incidence
        cosines = rated.multiply(1 / np.sqrt(np.maximum(truth.item_popularity, 1))[np.newaxis]).tocsr()
        withheld = self.split.withheld
        for users in self._batches():
            profiles = truth.user_codes[users]
            scores = np.zeros((len(users), n_items))
            if similar:
                scores += (cosines[profiles] @ cosines.T @ cosines).toarray()
            seen, items = rated[profiles].nonzero()
            scores[seen, items] = -np.inf
            if withheld is not None:
                of_batch = np.isin(withheld.places, users)
                scores[np.searchsorted(users, withheld.places[of_batch]), withheld.items[of_batch]] = -np.inf
            by_popularity = truth.by_popularity  # equal scores follow popularity
            order = np.argsort(-scores[:, by_popularity], axis=1, kind="stable")[:, :LIST_LENGTH]
            chosen = by_popularity[order]
            can_be = np.isfinite(np.take_along_axis(scores, chosen, axis=1))
            lists[users, : chosen.shape[1]] = np.where(can_be, chosen, n_items)
        return Evaluation(self.split, ModelOutput(None, lists)).hits[self.listed_users]

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(self.listed_users), _AT_ONCE):
            yield self.listed_users[start : start + _AT_ONCE]


def _damped_biases(train: Ratings) -> tuple[Floats, Floats]:
    """Return the biases of users and items by code, shapes (n_users + 1,) and (n_items + 1,); 0 for unknown ones."""
    users, items, centred = np.zeros(train.n_users + 1), np.zeros(train.n_items + 1), train.ratings - train.mean
    for _ in range(_ROUNDS):
        items = _damped_means(train.items, centred - users[train.users], train.n_items)
        users = _damped_means(train.users, centred - items[train.items], train.n_users)
    return users, items


def _damped_means(codes: Codes, residuals: Floats, n: int) -> Floats:
    sums = np.bincount(codes, weights=residuals, minlength=n + 1)
    return np.asarray(sums / (np.bincount(codes, minlength=n + 1) + _DAMPING))


def _factors(ones: csr_array[Any, Any], errors: csr_array[Any, Any]) -> Iterator[tuple[Floats, Floats]]:
    """Yield factors of users and items, by alternating least squares on what biases leave, shapes (n + 1, 8).

    Args:
        ones: how often each pair was rated, shape (n_users + 1, n_items + 1).
        errors: what biases leave of the ratings of each pair, summed, likewise.
    """
    of_items = np.random.default_rng(0).normal(0, 0.1, (ones.shape[1], _RANK))
    sides = (ones, errors), (ones.T.tocsr(), errors.T.tocsr())
    for penalty, alternations in _PENALTIES.items():
        for _ in range(alternations):
            of_users = _solved(*sides[0], of_items, penalty)
            of_items = _solved(*sides[1], of_users, penalty)
        yield of_users, of_items


def _solved(ones: csr_array[Any, Any], errors: csr_array[Any, Any], fixed: Floats, penalty: float) -> Floats:
    """Return the factors of the rows' entities, those of the columns' being fixed; zeros for who has no rating."""
    low, high = np.tril_indices(_RANK)  # products of factors are symmetric
    normal = np.empty((ones.shape[0], _RANK, _RANK))
    normal[:, low, high] = normal[:, high, low] = ones @ (fixed[:, low] * fixed[:, high])
    weights = penalty * np.maximum(np.asarray(ones.sum(axis=1)).ravel(), 1)
    normal[:, np.arange(_RANK), np.arange(_RANK)] += weights[:, np.newaxis]
    return np.asarray(np.linalg.solve(normal, (errors @ fixed)[:, :, np.newaxis])[:, :, 0])
