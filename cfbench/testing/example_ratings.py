"""Small training sets on which any model must behave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.ids import Coding
from cfbench.model.features import Features
from cfbench.model.ratings import Ratings, RatingScale


def random_ratings(n_users: int = 24, n_items: int = 18, seed: int = 0) -> Ratings:
    """Return random whole stars for about 40 % of the pairs; every user and item has at least one."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < 0.4
    diagonal = np.arange(max(n_users, n_items))
    rated[diagonal % n_users, diagonal % n_items] = True
    users, items = rng.permutation(np.argwhere(rated)).T
    return _training(users, items, rng.integers(1, 6, size=len(users)))


def described_ratings() -> Ratings:
    """Return random stars with features of users and items, some of them missing."""
    train = random_ratings()
    users, items = np.arange(train.n_users), np.arange(train.n_items)
    return replace(train, user_features=_user_features(users), item_features=_item_features(items))


def cold_entities() -> tuple[Features, Features]:
    """Return features of five cold users and four cold items; the first and the last of each are alike."""
    return _user_features(np.array([0, 1, 2, 3, 0])), _item_features(np.array([0, 1, 2, 0]))


def single_ratings(n_users: int = 20, n_items: int = 6) -> Ratings:
    """Return one rating of each user."""
    users = np.arange(n_users)
    return _training(users, users % n_items, 1 + users % 5)


def equal_ratings(n_users: int = 8, n_items: int = 6) -> Ratings:
    """Return three stars of every user for two thirds of the items."""
    users, items = np.nonzero(np.indices((n_users, n_items)).sum(axis=0) % 3)
    return _training(users, items, np.full(len(users), 3))


def checkerboard(n_users: int = 300, n_items: int = 200) -> tuple[Ratings, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return ratings of users who find every other item relevant: even users even items, odd users odd items.

    Training holds 7 in 10 of the relevant pairs, rated 5, and 3 in 10 of the others, rated 1. Beside it come two
    tables by code, shape (n_users, n_items): whether an item is relevant to a user, and whether the pair is unseen.
    Users and items are numerous enough for stochastic learners.
    """
    rng = np.random.default_rng(0)
    relevant = np.indices((n_users, n_items)).sum(axis=0) % 2 == 0
    rated = rng.random(relevant.shape) < np.where(relevant, 0.7, 0.3)
    users, items = rng.permutation(np.argwhere(rated)).T
    train = _training(users, items, np.where(relevant[users, items], 5, 1))
    by_code = np.ix_(_coding(users).positions, _coding(items).positions)
    return train, relevant[by_code], ~rated[by_code]


def _user_features(rows: NDArray[np.int64]) -> Features:
    """Return ages and occupations for row numbers; both are missing in some rows."""
    ages = np.array([18, 35, np.nan, 50], dtype=np.float32)
    return Features({"age": ages[rows % 4], "occupation": np.array(["artist", "", "nurse"])[rows % 3]})


def _item_features(rows: NDArray[np.int64]) -> Features:
    """Return genres and years for row numbers; some have no genre."""
    return Features({"genres": np.array(["Drama", "Comedy|Drama", "", "War"])[rows % 4], "year": 1950.0 + 7 * rows})


def _training(users: NDArray[Any], items: NDArray[Any], ratings: NDArray[Any]) -> Ratings:
    """Code users and items by first appearance, as splits do; nothing may be written to."""
    user_coding, item_coding = _coding(users), _coding(items)
    columns = (
        user_coding.codes(users),
        item_coding.codes(items),
        ratings.astype(np.float32),
        1_000_000_000 + np.arange(len(users), dtype=np.int64),
    )
    column: NDArray[Any]
    for column in columns:
        column.flags.writeable = False  # of the array itself, beneath the read-only view that models get
    return Ratings(*columns, n_users=len(user_coding), n_items=len(item_coding), scale=RatingScale(1, 5))


def _coding(positions: NDArray[Any]) -> Coding:
    return Coding.of(positions.astype(np.int32), int(positions.max()) + 1)
