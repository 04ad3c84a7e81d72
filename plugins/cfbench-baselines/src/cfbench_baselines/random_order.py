"""A random order of items for each user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes, FitContext, Floats, Ratings, Saved

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass
class RandomOrder(Saved, kind="cfbench-baselines.random.2", seed_=int, n_items_=int):
    """Ranks items at random, by user and seed; predicts no ratings.

    ``s(u, i)`` is uniform on [0, 1) and a pure function of the seed, u and i (the SplitMix64 mixing of Steele,
    Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), so a user's order does
    not depend on other requests. The floor of every ranking table, and the ideal of equal exposure.
    """

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Keep the seed; nothing is learned."""
        self.seed_ = context.seed % 2**64
        self.n_items_ = train.n_items

    def score_items(self, users: Codes) -> Floats:
        """Return uniform scores, shape (b, n_items); unknown users share one order."""
        keys = _mixed(_spread(users) ^ _mixed(np.array([self.seed_], dtype=np.uint64)))
        bits = _mixed(keys[:, None] + _spread(np.arange(self.n_items_))[None, :])
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _spread(codes: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Send codes 0, 1, 2 ... to far apart 64-bit words (wrapping multiplication)."""
    return (codes.astype(np.uint64) + np.uint64(1)) * _STEP


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words so that every input bit moves every output bit."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))
