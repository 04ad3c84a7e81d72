"""Small training sets on which any model must behave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.ids import Coding
from cfbench.model.features import Features
from cfbench.model.ratings import Ratings, RatingScale

_STARS = RatingScale(1, 5)


def random_ratings(n_users: int = 24, n_items: int = 18, seed: int = 0) -> Ratings:
    """Random whole stars for about 40 % of the pairs; every user and item has at least one."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < 0.4
    rated[np.arange(max(n_users, n_items)) % n_users, np.arange(max(n_users, n_items)) % n_items] = True
    users, items = rng.permutation(np.argwhere(rated)).T
    return _training(users, items, rng.integers(1, 6, size=len(users)))


def described_ratings() -> Ratings:
    """Random stars again, with features of users and items, some of them missing."""
    train = random_ratings()
    return replace(train, user_features=_people(train.n_users), item_features=_films(train.n_items))


def described_newcomers() -> tuple[Features, Features]:
    """Features of five new users and four new items; the first and last of each are alike."""
    return _people(5, last=0), _films(4, last=0)


def single_ratings(n_users: int = 20, n_items: int = 6) -> Ratings:
    """Each user has rated one item, once."""
    users = np.arange(n_users)
    return _training(users, users % n_items, 1 + users % 5)


def equal_ratings(n_users: int = 8, n_items: int = 6) -> Ratings:
    """Everybody gave three stars to two thirds of the items."""
    users, items = np.nonzero(np.indices((n_users, n_items)).sum(axis=0) % 3)
    return _training(users, items, np.full(len(users), 3))


@dataclass(frozen=True, eq=False)
class Checkerboard:
    """Even users like even items, odd users like odd items, and nothing else is to be known.

    Attributes:
        train: 7 in 10 of the liked pairs, rated 5, and 3 in 10 of the others, rated 1.
        liked: by code, whether a user likes an item, shape (n_users, n_items).
        unseen: by code, whether the pair is not in training, shape (n_users, n_items).
    """

    train: Ratings
    liked: NDArray[np.bool_]
    unseen: NDArray[np.bool_]


def checkerboard(n_users: int = 300, n_items: int = 200, seed: int = 0) -> Checkerboard:
    """Draw a checkerboard; users and items are numerous enough for stochastic learners."""
    rng = np.random.default_rng(seed)
    liked = np.indices((n_users, n_items)).sum(axis=0) % 2 == 0
    rated = rng.random(liked.shape) < np.where(liked, 0.7, 0.3)
    users, items = rng.permutation(np.argwhere(rated)).T
    train = _training(users, items, np.where(liked[users, items], 5, 1))
    order = np.ix_(_coding(users).positions, _coding(items).positions)
    return Checkerboard(train=train, liked=liked[order], unseen=~rated[order])


def _people(n: int, last: int | None = None) -> Features:
    """Ages and occupations, one of each missing; the ``last`` person is as that one where it is given."""
    turn = _turns(n, last)
    return Features(
        {
            "age": np.array([18, 35, np.nan, 50], dtype=np.float32)[turn % 4],
            "occupation": np.array(["artist", "", "nurse"])[turn % 3],
        }
    )


def _films(n: int, last: int | None = None) -> Features:
    turn = _turns(n, last)
    return Features({"genres": np.array(["Drama", "Comedy|Drama", "", "War"])[turn % 4], "year": 1950.0 + 7 * turn})


def _turns(n: int, last: int | None) -> NDArray[np.int64]:
    turn = np.arange(n)
    turn[-1] = n - 1 if last is None else last
    return turn


def _training(users: NDArray[Any], items: NDArray[Any], ratings: NDArray[Any]) -> Ratings:
    """Code users and items by first appearance, as splits do; nothing may be written to."""
    user_coding, item_coding = _coding(users), _coding(items)
    return Ratings(
        users=_sealed(user_coding.codes(users)),
        items=_sealed(item_coding.codes(items)),
        ratings=_sealed(ratings.astype(np.float32)),
        timestamps=_sealed(1_000_000_000 + np.arange(len(users), dtype=np.int64)),
        n_users=len(user_coding),
        n_items=len(item_coding),
        scale=_STARS,
    )


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    """Forbid writing to the array itself, beneath the read-only view that models get."""
    array.flags.writeable = False
    return array


def _coding(positions: NDArray[Any]) -> Coding:
    return Coding.of(positions.astype(np.int32), int(positions.max()) + 1)
