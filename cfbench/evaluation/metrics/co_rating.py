"""Cosines of items by who rated them, summed over the pairs of items that share a list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_PAIRS_PER_CHUNK = 1 << 21  # pairs of listed items at a time: 16 MB of keys
_ADDITIONS_PER_CHUNK = 1 << 22  # users of listed items that are added up at a time
_CELLS_PER_BLOCK = 1 << 25  # listed items x users that are unpacked to bytes at a time
_WORDS_PER_CHUNK = 1 << 17  # 64-bit words that are compared at a time: they stay in cache
_WORD = 64


@dataclass(frozen=True, eq=False)
class CoRating:
    """Who rated which item in training.

    Sums of cosines are computed in one of two ways, whichever promises less work on the lists at hand: counting the
    common users of every distinct pair, or adding up the items' unit vectors list by list. The first is for popular
    items, many users to an item and the same pairs in many lists; the second for rare ones. There is no matrix of
    items by items, and memory is bounded by chunks of lists and of users.

    Attributes:
        incidence: ones where a user rated an item, shape (users, n_items).
        item_popularity: users of each item, shape (n_items,).
    """

    incidence: csr_array[Any, tuple[int, int]]
    item_popularity: NDArray[np.int64]

    def cosine_sums(self, lists: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return sums over the pairs of each list, shape (t, k) -> (t,).

        A pair counts ``|U_i & U_j| / sqrt(item_popularity(i) item_popularity(j))``.

        Places after the end of a list hold the code ``n_items``.
        """
        n_items, n_users = len(self.item_popularity), self.incidence.shape[0]
        first, second = np.triu_indices(lists.shape[1], 1)
        step = max(1, _PAIRS_PER_CHUNK // lists.shape[1] ** 2)
        sums = []
        for start in range(0, len(lists), step):
            part = np.sort(lists[start : start + step], axis=1)  # a pair has one key, and padding comes last
            row, pair = np.nonzero(part[:, second] < n_items)
            keys = part[row, first[pair]].astype(np.int64) * n_items + part[row, second[pair]]
            pairs, place = np.unique(keys, return_inverse=True)
            if self._users_listed(part).sum() < len(pairs) * -(-n_users // _WORD):
                sums.append(self._by_lists(part))
                continue
            one, other = np.divmod(pairs, n_items)
            cosines = self._common_users(one, other) / np.sqrt(self.item_popularity[one] * self.item_popularity[other])
            part_sums = np.bincount(row, weights=cosines[place], minlength=len(part))
            sums.append(part_sums.astype(np.float64))  # without any pair, bincount counts in whole numbers
        return np.concatenate(sums)

    def _users_listed(self, lists: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the sum of phi over each list, shape (t,)."""
        return np.asarray(np.append(self.item_popularity, 0)[lists].sum(axis=1))

    def _by_lists(self, lists: NDArray[np.int32]) -> NDArray[np.float64]:
        """Add up unit vectors e: sum_(i<j) e_i e_j = (|sum_i e_i|^2 - |L|) / 2."""
        from scipy.sparse import csr_array  # noqa: PLC0415 - slow to import

        n_items = len(self.item_popularity)
        step = max(1, _ADDITIONS_PER_CHUNK // max(1, int(self._users_listed(lists).max(initial=0))))
        sums = []
        for start in range(0, len(lists), step):
            part = lists[start : start + step]
            listed = part < n_items
            lengths, items = listed.sum(axis=1), part[listed]
            parts = (1 / np.sqrt(self.item_popularity[items]), items, np.append(0, np.cumsum(lengths)))
            together = csr_array(parts, shape=(len(part), n_items)) @ self._by_item
            row = np.repeat(np.arange(len(part)), np.diff(together.indptr))
            squares = np.bincount(row, weights=np.square(together.data), minlength=len(part))
            sums.append((squares - lengths) / 2)
        return np.concatenate(sums)

    @cached_property
    def _by_item(self) -> csr_array[Any, tuple[int, int]]:
        """Ones where an item was rated by a user, shape (n_items, users)."""
        return self.incidence.T.tocsr()

    def _common_users(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many users rated both items of each pair, shapes (p,), (p,) -> (p,): 64 users a word."""
        listed, places = np.unique(np.concatenate([one, other]), return_inverse=True)
        one_row, other_row = np.split(places, 2)
        row_of = np.full(len(self.item_popularity), -1)
        row_of[listed] = np.arange(len(listed))
        common = np.zeros(len(one), dtype=np.int64)
        n_users = self.incidence.shape[0]
        width = max(1, min(-(-n_users // _WORD), _CELLS_PER_BLOCK // (_WORD * max(1, len(listed))))) * _WORD
        for first in range(0, n_users, width):
            # The users of each listed item in a block of users, as bits: shape (listed, words).
            ends = self.incidence.indptr[first : first + width + 1]
            user = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
            row = row_of[self.incidence.indices[ends[0] : ends[-1]]]
            block = np.zeros((len(listed), width), dtype=bool)
            block[row[row >= 0], user[row >= 0]] = True
            bits = np.packbits(block, axis=1).view(np.uint64)
            step = max(1, _WORDS_PER_CHUNK // bits.shape[1])
            for start in range(0, len(one), step):
                part = slice(start, start + step)
                both = np.bitwise_count(bits[one_row[part]] & bits[other_row[part]])
                common[part] += both.sum(axis=1, dtype=np.int64)
        return common
