"""Synthetic ratings of any size, from latent factors and power laws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.sources.cache import cached
from cfbench.data.sources.source import Storage
from cfbench.model.limits import require, require_at_least, require_whole
from cfbench.model.ratings import RatingScale

Ints: TypeAlias = NDArray[np.int64]

_CHUNK = 1 << 20  # ratings drawn at once; part of what the seed means, so not a parameter
_ROUNDS = 12  # redraws of repeated items before the exact but slower draw
_CELLS = 1 << 22  # users x items in memory during the exact draw
_WORTH_CACHING = 1_000_000  # ratings from which reading a cached copy beats drawing again
_LOW, _HIGH = 1.0, 5.0


@dataclass(frozen=True)
class Synthetic:
    """Ratings on a scale of 1 to 5 by users and items of which everything is known.

    ``r_ui = 3.5 + b_u + b_i + p_u . q_i / sqrt(n_factors) + noise * e``, rounded to ``step`` and clipped,
    with b_u ~ N(0, 0.4), b_i ~ N(0, 0.5), the entries of p_u and q_i ~ N(0, 0.8), e ~ N(0, 1). Item
    popularity follows ``rank ** -popularity_exponent``, the number of ratings of a user ``rank **
    -activity_exponent``; which items a user rates does not depend on the ratings. Pairs are distinct,
    every user has a rating, rows are grouped by user.

    The same parameters give the same data on any machine: no linear algebra library is involved, whose
    sums depend on the processor.

    Attributes:
        n_users: number of users, at least 2.
        n_items: size of the catalogue, at least 2; unpopular items may remain without a rating and are left
            out.
        n_ratings: number of ratings, from ``n_users`` to ``n_users * n_items``.
        n_factors: length of the latent vectors.
        popularity_exponent: steepness of item popularity; 0 makes all items equally popular.
        activity_exponent: steepness of user activity; 0 makes all users equally active.
        noise: standard deviation of the part of a rating that nobody can predict, in rating units.
        step: distance between possible ratings: 1 or 0.5.
        seed: what decides everything drawn.
    """

    n_users: int = 1_000
    n_items: int = 500
    n_ratings: int = 30_000
    n_factors: int = 8
    popularity_exponent: float = 0.8
    activity_exponent: float = 0.6
    noise: float = 0.6
    step: float = 1.0
    seed: int = 0

    origin: ClassVar[Origin] = Origin(licence="none needed: generated", citation="")

    def __post_init__(self) -> None:
        require_whole(self, 2, "n_users", "n_items")
        require_whole(self, 1, "n_factors")
        possible = self.n_users, self.n_users * self.n_items
        expected = f"a number from n_users ({possible[0]}) to n_users * n_items ({possible[1]})"
        require(self, lambda n_ratings: possible[0] <= n_ratings <= possible[1], expected, "n_ratings")
        require(self, lambda step: step in (0.5, 1.0), "1 or 0.5", "step")
        require_at_least(self, 0, "popularity_exponent", "activity_exponent", "noise", "seed")

    def load(self, storage: Storage) -> Dataset:
        """Generate the data, or take it from the cache where it is large."""
        return self._generated() if self.n_ratings < _WORTH_CACHING else cached(self, storage, (), self._generated)

    def whereabouts(self, storage: Storage) -> str:  # noqa: ARG002 - part of the contract
        """Return that nothing needs to be fetched."""
        return "generated"

    def _generated(self) -> Dataset:
        # A chunk ends with the user who fills it, so each but the last has at least _CHUNK ratings.
        n_chunks = self.n_ratings // _CHUNK + 1
        layout, tastes, *streams = np.random.SeedSequence(self.seed).spawn(2 + n_chunks)
        rng = np.random.default_rng(layout)
        activity = _dealt(self.n_ratings, self.n_users, self.n_items, self.activity_exponent)
        activity = activity[rng.permutation(self.n_users)]
        popularity = _power_law(self.n_items, self.popularity_exponent)[rng.permutation(self.n_items)]
        world = _World(self, np.random.default_rng(tastes))
        users, items = (np.empty(self.n_ratings, dtype=np.int32) for _ in range(2))
        ratings = np.empty(self.n_ratings, dtype=np.float32)
        ends = np.cumsum(activity)
        first = done = 0
        for stream in streams:
            if first == self.n_users:
                break
            # The next users who together have about _CHUNK ratings, none split.
            last = min(int(np.searchsorted(ends, done + _CHUNK)) + 1, self.n_users)
            chunk_rng = np.random.default_rng(stream)
            keys = _distinct_pairs(activity[first:last], popularity, chunk_rng)
            part = slice(done, done + len(keys))
            users[part], items[part] = first + keys // self.n_items, keys % self.n_items
            ratings[part] = world.ratings(users[part], items[part], chunk_rng)
            first, done = last, part.stop
        rated = np.flatnonzero(np.bincount(items, minlength=self.n_items))
        position = np.zeros(self.n_items, dtype=np.int32)
        position[rated] = np.arange(len(rated), dtype=np.int32)
        return Dataset(
            name="synthetic",
            users=Entities((np.arange(self.n_users) + 1).astype(np.str_)),
            items=Entities((rated + 1).astype(np.str_)),
            user_index=users,
            item_index=position[items],
            ratings=ratings,
            timestamps=None,
            scale=RatingScale(_LOW, _HIGH),
            relevant_from=4.0,
            origin=self.origin,
        )


class _World:
    """The parameters behind the ratings; factors are kept as (n_factors, n), one contiguous row per factor."""

    def __init__(self, plan: Synthetic, rng: np.random.Generator) -> None:
        def normal(spread: float, *shape: int) -> NDArray[np.float32]:
            return rng.normal(0.0, spread, shape).astype(np.float32)

        self._noise, self._step = plan.noise, plan.step
        self._user_bias, self._item_bias = normal(0.4, plan.n_users), normal(0.5, plan.n_items)
        self._user_factors = normal(0.8, plan.n_factors, plan.n_users)
        self._item_factors = normal(0.8, plan.n_factors, plan.n_items)

    def ratings(
        self, users: NDArray[np.int32], items: NDArray[np.int32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return the ratings that ``users`` give to ``items``, shapes (m,) -> (m,)."""
        taste = np.zeros(len(users), dtype=np.float32)
        # Factor by factor: sums in a fixed order, the same on every processor.
        for of_users, of_items in zip(self._user_factors, self._item_factors, strict=True):
            taste += of_users[users] * of_items[items]
        liking = 3.5 + self._user_bias[users] + self._item_bias[items] + taste / np.sqrt(len(self._user_factors))
        liking = liking + self._noise * rng.normal(size=len(users))
        steps = np.round(liking / self._step)
        return np.asarray(np.clip(steps * self._step, _LOW, _HIGH), dtype=np.float32)


def _power_law(n: int, exponent: float) -> Ints:
    """Return weights proportional to ``rank ** -exponent``, shape (n,), as whole numbers of at least 1.

    Whole numbers, so that the last bit of a processor's power function has no say.
    """
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    return np.maximum(np.round(weights * 2**32), 1).astype(np.int64)


def _dealt(total: int, n: int, most: int, exponent: float) -> Ints:
    """Deal ``total`` ratings to ``n`` users, each from 1 to ``most``, by a power law of the rank; shape (n,)."""
    weights = _power_law(n, exponent)
    counts = np.ones(n, dtype=np.int64)
    left = total - n
    while left:
        open_to = np.flatnonzero(counts < most)
        proportional = np.floor(left * (weights[open_to] / weights[open_to].sum())).astype(np.int64)
        share = np.minimum(proportional, most - counts[open_to])
        if not share.any():
            share[:left] = 1  # what rounding left over goes to the most active, one each
        counts[open_to] += share
        left -= int(share.sum())
    return counts


def _distinct_pairs(activity: Ints, popularity: Ints, rng: np.random.Generator) -> Ints:
    """Draw ``activity[u]`` different items for each user u, by popularity, without replacement.

    Returns the pairs as ``u * n_items + item``, ascending. Items drawn twice are drawn again, which is the
    same as drawing without replacement; users who still lack items after ``_ROUNDS`` get them by an exact
    draw.
    """
    n_items = len(popularity)
    ladder = np.cumsum(popularity)
    missing, keys = activity.copy(), np.empty(0, dtype=np.int64)
    for _ in range(_ROUNDS):
        wishing = np.repeat(np.arange(len(activity)), missing)
        drawn = np.searchsorted(ladder, rng.integers(ladder[-1], size=len(wishing)), side="right")
        # numpy's unique goes through a hash table from version 2.3 on, ten times slower than sorting here.
        keys = np.sort(np.concatenate([keys, wishing * n_items + drawn]))
        keys = keys[np.r_[True, keys[1:] != keys[:-1]]]
        missing = activity - np.bincount(keys // n_items, minlength=len(activity))
        if not missing.any():
            return keys
    return np.sort(np.concatenate([keys, *_exact_rest(keys, missing, popularity, rng)]))


def _exact_rest(keys: Ints, missing: Ints, popularity: Ints, rng: np.random.Generator) -> Iterator[Ints]:
    """Yield the pairs still missing: per user the unrated items with the smallest exponential / weight.

    That is drawing by weight without replacement (Efraimidis & Spirakis 2006), all draws at once.
    """
    n_items = len(popularity)
    lacking = np.flatnonzero(missing)
    block = max(1, _CELLS // n_items)
    for start in range(0, len(lacking), block):
        users = lacking[start : start + block]
        waiting = rng.exponential(size=(len(users), n_items)) / popularity
        low, high = np.searchsorted(keys, [users * n_items, (users + 1) * n_items])
        sizes = high - low
        # Of each user, the rows low .. high - 1 of ``keys``, one range after another.
        taken = np.arange(sizes.sum()) + np.repeat(low - (np.cumsum(sizes) - sizes), sizes)
        waiting[np.repeat(np.arange(len(users)), sizes), keys[taken] % n_items] = np.inf
        first_come = np.argsort(waiting, axis=1, kind="stable")
        row, place = np.nonzero(np.arange(n_items) < missing[users][:, None])
        yield users[row] * n_items + first_come[row, place]
