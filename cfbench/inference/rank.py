"""Top-k lists of a fitted model: the model scores, cfbench masks seen items, breaks ties and cuts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Withheld
from cfbench.errors import ModelError
from cfbench.inference.asked_again import KeptScores
from cfbench.inference.output import MOST_GROUPS
from cfbench.inference.predict import predict_ratings, reject_infinities, shaped_floats
from cfbench.model.protocols import PredictsRatings, ScoresItems
from cfbench.model.ratings import Codes, Floats, Ratings, frozen
from cfbench.resources.cost import Clock

MEMORY_CAP = 32 << 20
"""Bytes that one chunk of scores with its temporaries may take; more is slower, since fresh pages cost time."""

LARGE_MEMORY_CAP = 256 << 20
"""Bytes that a chunk may take where the catalogue is so large that it would hold few users otherwise."""

_BYTES_PER_SCORE = 32  # a float64 score of the model, its temporaries or the pair of codes, and the checks
_FEW_USERS = 64  # with fewer in a chunk, a product of factors spends its time on reading those of the catalogue
_GROUP = 8  # columns whose maximum stands for them when a row's floor is estimated
_FEW = 4  # times k: where more groups of a row reach its floor, its equals are not all looked at
_DRAWS = [64, 2048]  # first so many of the drawn order of equals are tried, then so many, then all
_SCORES_PER_BLOCK = 1 << 17  # a block of this many scores stays in the processor's cache while it is cut
_ROWS_AT_ONCE = 256  # of scores that are added up in single precision before they are added in double precision


@dataclass(frozen=True, eq=False)
class Rankings:
    """Result of ranking a model's scores.

    Attributes:
        lists: item codes, best first, shape (u, k), int32; a list with fewer than ``k`` candidates whose score is
            not NaN ends in ``n_items``.
        score_means: mean score of every item over groups of users, before anything is masked, shape (g, n_items),
            float32; see :class:`ScoreMeans`.
    """

    lists: NDArray[np.int32]
    score_means: NDArray[np.float32]


def rank_items(
    model: object,
    train: Ratings,
    users: Codes,
    k: int,
    tie_seed: int,
    clock: Clock,
    withheld: Withheld | None = None,
    kept: KeptScores | None = None,
) -> Rankings:
    """Rank the ``k`` best items for every user by the scores of ``model``.

    Candidates are the training catalogue minus the user's own training items, and minus what is withheld. Equal
    scores are ordered by one permutation of the catalogue drawn from ``tie_seed``, never by code: a model gains
    nothing from the order of the data. The lists depend neither on the order of ``users`` nor, as far as the
    model's own arithmetic does not, on the chunk size. Without ``score_items`` the model's ``predict`` ranks.

    Args:
        model: a fitted model with ``score_items`` or ``predict``.
        train: what it was fitted on.
        users: user codes, shape (u,), ``0 .. n_users``, or beyond for cold users that the model was given; a code
            that occurs twice is scored once.
        k: length of the lists, at least 1.
        tie_seed: the same for all models of a split.
        clock: gets the model's own seconds, and nothing else, under ``"predict"``.
        withheld: items that are no candidates for some of ``users``, by index, or None.
        kept: takes the scores of some users on the way, or None.

    Raises:
        ModelError: the model can do neither, or returned a wrong type or shape or an infinite value.
    """
    if k < 1:
        raise ValueError(f"lists need k of at least 1, got {k}")
    n_items = train.n_items
    codes, code_of = np.unique(users, return_inverse=True)
    seen, means = SeenItems.of(train), ScoreMeans(len(codes), n_items)
    # The rank of every item among equals; the padding code comes last.
    tie_rank = np.append(np.random.default_rng(tie_seed).permutation(n_items), n_items).astype(np.int32)
    length = k if withheld is None else k + withheld.longest
    lists = np.empty((len(codes), length), dtype=np.int32)
    bytes_of_user = n_items * _BYTES_PER_SCORE
    rows = max(1, max(MEMORY_CAP, min(_FEW_USERS * bytes_of_user, LARGE_MEMORY_CAP)) // bytes_of_user)
    for start in range(0, len(codes), rows):
        turns = means.turns[start : start + rows]
        scores = catalogue_scores(model, n_items, codes[turns], clock)
        if kept is not None:
            kept.keep(codes[turns], scores)
        lists[turns] = _top_k(scores, codes[turns], seen, length, tie_rank, means, type(model).__name__)
    lists = lists[code_of]
    return Rankings(lists if withheld is None else withheld.taken_out(lists, k, n_items), means.values())


@dataclass(frozen=True, eq=False)
class SeenItems:
    """The training items of every user, one range of an array each.

    Attributes:
        items: item codes ordered by user, then by code, shape (n,), int32.
        starts: user ``u`` has ``items[starts[u]:starts[u + 1]]``, shape (n_users + 2,); unknown and new: none.
    """

    items: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, train: Ratings) -> SeenItems:
        """Order the training rows by user."""
        starts = np.concatenate([[0], np.cumsum(train.user_counts), [len(train)]])
        # Sorting user and item packed into one number is several times faster than an argsort by user.
        packed = train.users.astype(np.int64)
        packed *= train.n_items  # in place, for memory's sake
        packed += train.items
        packed.sort()
        packed %= train.n_items
        return cls(items=packed.astype(np.int32), starts=starts)

    def cells(self, users: Codes, width: int) -> NDArray[np.int64]:
        """Return the seen items of ``users``, shape (b,), as flat indices into an array (b, width)."""
        known = np.minimum(users, len(self.starts) - 2)  # cold users have seen nothing, like the unknown
        first = self.starts[known]
        counts = self.starts[known + 1] - first
        ends = np.cumsum(counts)
        # Position within the concatenation, moved to where the user's own range begins.
        positions = np.arange(ends[-1]) + np.repeat(first - (ends - counts), counts)
        return np.asarray(np.repeat(np.arange(len(users)) * width, counts) + self.items[positions])


class ScoreMeans:
    """Mean score of every item over groups of users, gathered from blocks of scores.

    With ``g = min(20, n_users)`` groups, the j-th user belongs to group ``j mod g``::

        mean(group, i) = sum of s(u, i) over the users u of the group with s(u, i) not NaN / their number

    Scores come group by group, in the order of :attr:`turns`, so that a block of users has few groups and is added
    up while it is in the processor's cache. The means depend on the sizes of the blocks only by rounding.

    Attributes:
        turns: indices of the users in the order in which their scores must be added, shape (n_users,).
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        """Expect the scores of ``n_users`` users, shape (n_users, n_items) in all."""
        groups = min(MOST_GROUPS, n_users)
        group_of = np.arange(n_users) % max(1, groups)
        self.turns = np.argsort(group_of, kind="stable")
        self._sizes = np.bincount(group_of, minlength=groups)
        self._ends = np.cumsum(self._sizes)
        self._sums = np.zeros((groups, n_items))
        self._holes = np.zeros((groups, n_items), dtype=np.int64)
        self._next = 0

    def add(self, scores: Floats, who: str) -> bool:
        """Add the scores of the next users, shape (b, n_items), in the order of :attr:`turns`.

        Returns whether one of them is NaN. Raises ModelError, naming ``who``, where one is infinite. A sum shows
        whether there is NaN or an infinity among its terms, so that scores are commonly read once.
        """
        start, holes = 0, False
        while start < len(scores):
            # A part has one group and a bounded number of rows.
            group = int(np.searchsorted(self._ends, self._next, side="right"))
            rows = min(int(self._ends[group]) - self._next, len(scores) - start, _ROWS_AT_ONCE)
            part = scores[start : start + rows]
            start += rows
            self._next += rows
            if part.dtype == np.float64:  # of which a finite sum may hide what float32 cannot hold
                reject_infinities(part, who)
            with np.errstate(over="ignore", invalid="ignore"):
                sums = np.ones(len(part), dtype=part.dtype) @ part  # twice as fast as part.sum(axis=0)
                finite = math.isfinite(sums.sum())
            if not finite:
                reject_infinities(part, who)
                missing = np.isnan(part)
                holes = holes or bool(missing.any())
                self._holes[group] += missing.sum(axis=0)
                sums = np.where(missing, 0, part).sum(axis=0, dtype=np.float64)
            self._sums[group] += sums
        return holes

    def values(self) -> NDArray[np.float32]:
        """Return the means, shape (g, n_items); NaN where no user of a group has a score."""
        counts = self._sizes[:, None] - self._holes
        means: NDArray[np.float64] = np.divide(self._sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
        return means.astype(np.float32)


def catalogue_scores(model: object, n_items: int, users: Codes, clock: Clock, *, part: str = "predict") -> Floats:
    """Return scores of the whole catalogue, shape (b, n_items), not yet checked for infinities."""
    if isinstance(model, ScoresItems):
        with clock.part(part):
            scores = model.score_items(frozen(users))
        return shaped_floats(scores, (len(users), n_items), f"{type(model).__name__}.score_items")
    if isinstance(model, PredictsRatings):
        catalogue = np.tile(np.arange(n_items, dtype=np.int32), len(users))
        return predict_ratings(model, np.repeat(users, n_items), catalogue, clock, part=part).reshape(-1, n_items)
    raise ModelError(
        f"{type(model).__name__} cannot rank items: expected a method score_items(users) or "
        "predict(users, items), found neither; add one of them"
    )


def _top_k(
    scores: Floats, users: Codes, seen: SeenItems, k: int, tie_rank: NDArray[np.int32], means: ScoreMeans, who: str
) -> NDArray[np.int32]:
    """Mask, cut and sort the scores of ``users``, shape (b, n_items), into lists, shape (b, k); add to ``means``."""
    n_items = scores.shape[1]
    lists = np.full((len(users), k), n_items, dtype=np.int32)
    drawn = np.argsort(tie_rank[:-1])  # the catalogue in the order in which equals are preferred
    rows = max(16, _SCORES_PER_BLOCK // n_items)
    masked = np.empty((min(rows, len(users)), n_items), dtype=scores.dtype)
    for start in range(0, len(users), rows):
        raw = scores[start : start + rows]
        block = masked[: len(raw)]
        if means.add(raw, f"{who}.score_items"):  # here, where the block comes into the cache
            np.copyto(block, np.where(np.isnan(raw), -np.inf, raw))  # "never"; np.fmax keeps NaN that signal
        else:
            np.copyto(block, raw)
        block.reshape(-1)[seen.cells(users[start : start + rows], n_items)] = -np.inf
        row, item = _candidates(block, k, drawn)
        order = np.lexsort((tie_rank[item], -block[row, item], row))
        row, item = row[order], item[order]
        slot = np.arange(len(row)) - np.searchsorted(row, row)
        lists[start + row[slot < k], slot[slot < k]] = item[slot < k]
    return lists


def _candidates(scores: Floats, k: int, drawn: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find cells that hold the ``k`` best of each row and few others, as (row, item); -inf is never one.

    The floor of a row is a number that at least k of its scores reach and few more: the k-th best of the maxima over
    groups of columns. As many groups, so many different cells, reach it. Only these are looked into, so that all scores
    are read once, where an exact cut would partition them.
    """
    n_items = scores.shape[1]
    group = _GROUP if k <= n_items // _GROUP else 1
    width = n_items // group  # a group is every width-th column, the last few belong to none
    maxima = scores[:, : group * width].reshape(-1, group, width).max(axis=1) if group > 1 else scores
    floor = np.full(len(scores), np.finfo(scores.dtype).min, dtype=scores.dtype)
    if k <= width:
        floor = np.maximum(_kth_best(maxima, k), floor)
    reach = maxima >= floor[:, np.newaxis]
    tied = _true_per_row(reach) > _FEW * k
    if crowded := bool(tied.any()):  # of these, equals to the floor are taken as drawn
        reach[tied] = maxima[tied] > floor[tied, np.newaxis]
    rest, last = _true_cells(scores[:, group * width :] >= floor[:, np.newaxis])
    row, first = _true_cells(reach)
    row = np.concatenate([np.repeat(row, group), rest])
    item = np.concatenate([np.add.outer(first, np.arange(group) * width).reshape(-1), last + group * width])
    value = scores[row, item]
    kept = value >= floor[row]
    if crowded:
        kept &= (value > floor[row]) | ~tied[row]
    row, item = row[kept], item[kept]
    if crowded:
        room = np.where(tied, k - np.bincount(row, minlength=len(scores)), 0)
        more = _drawn_equals(scores, floor, room, drawn)
        row, item = np.concatenate([row, more[0]]), np.concatenate([item, more[1]])
    return row, item


def _kth_best(values: Floats, k: int) -> Floats:
    """Return the ``k``-th best value of each row, shape (b,)."""
    rank = values.shape[1] - k
    return np.partition(values, rank, axis=1)[:, rank]


def _true_per_row(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.asarray(np.add.reduce(mask, axis=1, dtype=np.int32))


def _drawn_equals(
    scores: Floats, floor: Floats, room: NDArray[np.int64], drawn: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the first ``room`` cells of each row, in the order ``drawn``, that equal its ``floor``, as (row, item)."""
    found, room = [], room.copy()
    # Rows of equals, as of a model that knows no items, are filled by the first few draws; the best of few are rarer.
    for draws in np.split(drawn, _DRAWS):
        open_rows = np.flatnonzero(room > 0)
        row, draw = _true_cells(scores[np.ix_(open_rows, draws)] == floor[open_rows, np.newaxis])
        slot = np.arange(len(row)) - np.searchsorted(row, row)
        row = open_rows[row]
        wins = slot < room[row]
        found.append((row[wins], draws[draw[wins]]))
        room -= np.bincount(row[wins], minlength=len(room))
    return np.concatenate([row for row, _ in found]), np.concatenate([item for _, item in found])


def _true_cells(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of every true cell, by row."""
    cells = np.flatnonzero(mask)
    row = cells // mask.shape[1]
    return row, cells - row * mask.shape[1]
