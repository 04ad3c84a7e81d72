"""Order in which pairs are asked: test rows among decoys and training rows, shuffled, known to the run's process alone.

A model is asked about a stream of pairs. Neither their order nor, as far as decoys reach, their set tells it what was
rated in the test; docs/security.md says what they do tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import Codes, Ratings
from cfbench.spec import seed_of

CHECKED_ROWS = 20_000
"""The most training rows that are predicted, for comparison with the error on test rows."""

_PASSES, _ROUNDS = 3, 30  # of looking for decoys that are no good, and of exchanging theirs
_MANY = 1000  # decoys; fewer are worth every round


@dataclass(frozen=True, eq=False)
class PairOrder:
    """Order in which the pairs of a split are asked.

    Attributes:
        n_tested: how many test rows there are, m.
        decoy_users: test rows whose users decoys have, shape (d,), int64; d = m unless pairs are lacking.
        decoy_items: test rows whose items they have, shape (d,), int64.
        train_rows: training rows that are asked too, ascending, drawn from the tie seed, shape (c,), int64.
        order: for each pair of the stream its place among the test rows, decoys and training rows, one after another,
            shape (m + d + c,), int64.
    """

    n_tested: int
    decoy_users: NDArray[np.int64]
    decoy_items: NDArray[np.int64]
    train_rows: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, split: Split) -> PairOrder:
        """Draw the order of a split, always the same one; a seed of its own that no model is told."""
        if split not in _drawn:
            digest = hashlib.sha256(f"asked pairs of {split.fingerprint}".encode())
            rng = np.random.default_rng(int.from_bytes(digest.digest()[:16], "big"))
            decoys, rows = _decoys(split, rng), checked_rows(len(split.train), seed_of(split.fingerprint))
            n_tested = len(split.test)
            _drawn[split] = cls(n_tested, *decoys, rows, rng.permutation(n_tested + len(decoys[0]) + len(rows)))
        return _drawn[split]

    def asked(self, users: Codes, items: Codes, train: Ratings) -> NDArray[np.int32]:
        """Return the stream, users above items, shape (2, s); ``users`` and ``items`` are codes of the test rows."""
        asked = np.empty((2, len(self.order)), dtype=np.int32)
        for side, codes, decoys, of_train in (
            (0, users, self.decoy_users, train.users),
            (1, items, self.decoy_items, train.items),
        ):
            asked[side] = np.concatenate([codes, codes[decoys], of_train[self.train_rows]])[self.order]
        return asked

    def in_split_order(self, output: ModelOutput) -> ModelOutput:
        """Return the output of a cell, which answers the stream, as that of the split: test rows, and training rows.

        Raises ValueError where there is another number of answers than of pairs.
        """
        stream = output.predictions
        if stream is None:
            return output
        if stream.shape != self.order.shape:
            raise ValueError(f"{len(self.order)} ratings were asked for, {len(stream)} came")
        by_place = np.empty_like(stream)
        by_place[self.order] = stream
        on_train = by_place[len(stream) - len(self.train_rows) :].copy()
        tested = by_place[: self.n_tested].copy()
        return replace(output, predictions=tested, train_rows=self.train_rows, train_predictions=on_train)


_drawn: WeakKeyDictionary[Split, PairOrder] = WeakKeyDictionary()
"""The orders of the splits in memory: each is drawn once, for its inputs and for the answers of every model."""


def checked_rows(n: int, tie_seed: int) -> NDArray[np.int64]:
    """Return some of ``n`` training rows, ascending, drawn from the tie seed; shape (min(n, 20,000),)."""
    if n <= CHECKED_ROWS:
        return np.arange(n, dtype=np.int64)
    rng = np.random.default_rng([tie_seed, CHECKED_ROWS])  # another stream than that of the ties
    return np.sort(rng.choice(n, CHECKED_ROWS, replace=False, shuffle=False))


def _decoys(split: Split, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return test rows whose users, and test rows whose items, make pairs that are in no part and differ.

    Items are exchanged between users, so that all are asked about as often again. Where that gives a pair of the test,
    of training or of another decoy, two decoys exchange theirs; what cannot be mended is left out.
    """
    users, items, n = split.test.user_positions.astype(np.int64), split.test.item_positions, len(split.dataset.items)
    users *= n  # a pair is one number
    rows, dataset = split.train_rows, split.dataset
    taken = np.concatenate([users + items, dataset.user_index[rows].astype(np.int64) * n + dataset.item_index[rows]])
    taken.sort()
    chosen = rng.permutation(len(users))
    for _ in range(_PASSES):
        wrong = np.flatnonzero(_taken_or_repeated(users + items[chosen], taken))
        _exchange(wrong, chosen, users, items, taken, rng)
    fit = np.flatnonzero(~_taken_or_repeated(users + items[chosen], taken))
    return fit, chosen[fit]


def _exchange(
    wrong: NDArray[np.int64],
    chosen: NDArray[np.int64],
    users: NDArray[np.int64],
    items: NDArray[np.int32],
    taken: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Let the ``wrong`` decoys exchange items with others, drawn again and again, where that leaves no pair taken."""
    is_wrong = np.zeros(len(users), dtype=np.bool_)
    is_wrong[wrong] = True
    for _ in range(_ROUNDS):
        others, at = np.unique(rng.integers(0, len(users), len(wrong)), return_index=True)
        mine, others = wrong[at][~is_wrong[others]], others[~is_wrong[others]]
        fits = ~_taken_or_repeated(users[mine] + items[chosen[others]], taken)
        fits &= ~_taken_or_repeated(users[others] + items[chosen[mine]], taken)
        mine, others = mine[fits], others[fits]
        chosen[mine], chosen[others] = chosen[others], chosen[mine]
        is_wrong[mine] = False
        wrong = wrong[is_wrong[wrong]]
        if len(wrong) > _MANY and len(mine) < 0.01 * len(wrong):  # hardly anybody is left to exchange with
            return


def _taken_or_repeated(pairs: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the pairs that are among ``taken``, which is sorted, and all but the first of equal ones."""
    order = np.argsort(pairs, kind="stable")
    ordered = pairs[order]
    found = _is_among(ordered, taken)
    found[1:] |= ordered[1:] == ordered[:-1]
    marked = np.empty_like(found)
    marked[order] = found
    return marked


def _is_among(pairs: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the pairs that are among ``taken``; both sorted, for a search that goes through memory once."""
    found: NDArray[np.bool_] = taken[np.minimum(np.searchsorted(taken, pairs), len(taken) - 1)] == pairs
    return found
