"""Lists beyond accuracy: novelty, serendipity, calibration, and how unlike each other the items of a list are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, NotApplicable, PerUser
from cfbench.evaluation.metrics.metric import PROFILES, of_beyond, of_hits

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALPHA = 0.01  # the share of the profile that is mixed into the list, so that a missing genre costs a finite amount
_NO_GENRE = ("", "(no genres listed)")  # the second is what MovieLens writes

_FORMULA = "mean_u (1 - 2 sum_(i<j in L_u) cos(i, j) / (|L_u| (|L_u| - 1))), "
_FACTORS_PER_CHUNK = 1 << 21  # factors of listed items that are gathered at a time: 16 MB
_PAIRS_PER_CHUNK = 1 << 21  # pairs of listed items at a time: 16 MB of keys
_ADDITIONS_PER_CHUNK = 1 << 22  # users of listed items that are added up at a time
_CELLS_PER_BLOCK = 1 << 25  # listed items x users that are unpacked to bytes at a time
_WORDS_PER_CHUNK = 1 << 17  # 64-bit words that are compared at a time: they stay in cache
_WORD = 64

_of_pairs = partial(
    of_beyond,
    averaging="mean over test users whose list has at least two items; other users are left out",
    source="Ziegler et al. 2005, Improving recommendation lists through topic diversification",
)


class Novelty(CutOff):
    """Mean self-information of the recommended items, in bits, from 0 (everybody knows them) to log2 |U|."""

    label: ClassVar[str] = "novelty"
    contract: ClassVar[Contract] = of_beyond(
        title="self-information of the recommended items",
        formula="mean_u (sum_(i in L_u) -log2(phi(i) / |U|)) / |L_u|, |U| = training users",
        source="Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems",
        unit="bits",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the self-information of items over every list."""
        return evaluation.mean_over_lists(np.log2(evaluation.split.train.n_users) - np.log2(evaluation.item_popularity))


class MeanRating(CutOff):
    """Mean training rating of the recommended items, in rating units, within the scale.

    Teaching material also calls it novelty; it says how highly rated the items are, not how new.
    """

    label: ClassVar[str] = "mean-rating"
    contract: ClassVar[Contract] = of_beyond(
        title="mean training rating of the recommended items",
        formula="mean_u (sum_(i in L_u) mean of the training ratings of i) / |L_u|",
        direction="none",
        source="teaching material on recommenders, there named novelty",
        unit="rating",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the items' mean training ratings over every list."""
        train = evaluation.split.train
        sums = np.bincount(train.items, weights=train.ratings, minlength=train.n_items)
        return evaluation.mean_over_lists(sums / train.item_counts)


class Serendipity(CutOff):
    """Distance of hits above their place in the order of popularity, in [0, 1); 0 = nothing but the expected.

    A hit at place j earns max(p - p_pop, 0) with p = (n + 1 - j) / n the model's confidence in it and
    p_pop = (n + 1 - rank(i)) / n that of a list of popular items. Equally popular items share a rank, and no rank
    is left out: the most popular are 1, the next 2. Equals RecTools' on complete lists of users with a relevant
    test item; RecTools divides shorter lists by their length and leaves out users without one.
    """

    label: ClassVar[str] = "serendipity"
    contract: ClassVar[Contract] = of_hits(
        title="hits that popularity alone would not place so high",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] max(rank(L_uj) - j, 0) / n) / k, rank = dense rank by phi, 1 = "
        "most popular, n = training items",
        family="beyond accuracy",
        source="RecTools 0.19, rectools.metrics.Serendipity, after Lab41 2015, Not all about the accuracy",
        display=".5f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up what every hit gains over its popularity rank."""
        levels, level_of = np.unique(evaluation.item_popularity, return_inverse=True)
        ranks = len(levels) - level_of  # dense, 1 = most popular, shape (n_items,)
        gains = np.maximum(np.append(ranks, 0)[evaluation.lists] - np.arange(1, self.k + 1), 0) / len(ranks)
        return evaluation.mean_over_relevant(np.where(evaluation.hits, gains, 0).sum(axis=1), self.k)


class Calibration(CutOff):
    """Divergence of a list's genres from the user's own, in nats; 0 = calibrated, at most -ln alpha = 4.605.

    Every item spreads one unit of weight evenly over its genres; items without any take no part.
    """

    label: ClassVar[str] = "calibration"
    contract: ClassVar[Contract] = of_beyond(
        title="divergence of the genres of a list from those of the profile",
        formula="mean_u sum_g p(g|u) ln(p(g|u) / q~(g|u)), q~ = (1 - alpha) q + alpha p, alpha = 0.01, p and q = mean "
        "over the training items, and over the listed items, of [g in G_i] / |G_i|, G_i = genres of i",
        direction="lower",
        averaging="mean over test users with an item that has a genre in training and in the list",
        cold_policy=PROFILES,
        source="Steck 2018, Calibrated recommendations; all ratings weigh alike",
        unit="nats",
    )

    def measure(self, evaluation: Evaluation) -> PerUser | NotApplicable:
        """Compare genre shares; n/a where the training items have no genres."""
        dataset = evaluation.split.dataset
        column = dataset.items.columns.get("genres")
        if column is None:
            return NotApplicable(f"the items of {dataset.name} have no genres")
        weights = _genre_weights(column[evaluation.split.item_coding.positions].tolist())
        if not weights.any():
            return NotApplicable(f"no training item of {dataset.name} has a genre")
        in_profiles = evaluation.sum_over_profiles(weights)
        padded = np.concatenate([weights, np.zeros((1, weights.shape[1]))])
        in_lists = np.zeros_like(in_profiles)
        for items in evaluation.lists.T:  # place by place, for memory's sake
            in_lists += padded[items]
        counts = (in_profiles.sum(axis=1) > 0) & (in_lists.sum(axis=1) > 0)
        numerators: NDArray[np.float64] = np.where(counts, _divergence(_shares(in_profiles), _shares(in_lists)), 0)
        return PerUser(numerators, counts.astype(np.float64))


def _genre_weights(genres: Sequence[str]) -> NDArray[np.float64]:
    """Return each item's weight on every genre, shape (n_items, genres); rows sum to 1, or to 0 without genres."""
    named = [sorted({name.strip() for name in text.split("|")} - set(_NO_GENRE)) for text in genres]
    column_of = {name: column for column, name in enumerate(sorted({name for names in named for name in names}))}
    weights = np.zeros((len(named), len(column_of)))
    items = np.repeat(np.arange(len(named)), [len(names) for names in named])
    weights[items, [column_of[name] for names in named for name in names]] = 1
    return _shares(weights)


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide every row by its sum; a row of zeros stays one."""
    totals = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return KL(p || (1 - alpha) q + alpha p) of each row, shapes (t, genres) -> (t,), in nats, at least 0."""
    mixed = (1 - ALPHA) * q + ALPHA * p
    ratios = np.divide(p, mixed, out=np.ones_like(p), where=p > 0)
    return np.asarray(np.maximum(np.einsum("tg,tg->t", p, np.log(ratios)), 0))


class Diversity(CutOff):
    """Intra-list diversity by who rated the items, in [0, 1]; 1 = no training user rated two items of a list.

    It needs nothing of the model but its lists, so all models compare.
    """

    label: ClassVar[str] = "diversity"
    contract: ClassVar[Contract] = _of_pairs(
        title="how differently the items of a list were rated by the same users",
        formula=_FORMULA + "cos(i, j) = |U_i & U_j| / sqrt(phi(i) phi(j)), U_i = training users of i",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list."""
        co_rating = CoRating(evaluation.incidence, evaluation.item_popularity)
        return _diversity(co_rating.cosine_sums(evaluation.lists), evaluation)


class EmbeddingDiversity(CutOff):
    """Intra-list diversity by the model's own item embeddings, in [0, 2]; 1 = unrelated, 2 = opposite.

    Every model has embeddings of its own: compare settings of a model, not models. An embedding of zeros has cosine 0
    with every other.
    """

    label: ClassVar[str] = "diversity-embeddings"
    contract: ClassVar[Contract] = _of_pairs(
        title="how far apart the items of a list are in the model's own embedding",
        formula=_FORMULA + "cos of the model's item factors; 0 with a zero vector",
        needs=("lists", "embeddings"),
        unit="",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list, without forming any pair.

        With unit vectors e: sum_(i<j) e_i e_j = (|sum_i e_i|^2 - sum_i |e_i|^2) / 2.
        """
        lists, factors = evaluation.lists, evaluation.item_factors
        lengths = np.linalg.norm(factors.astype(np.float64), axis=1, keepdims=True)
        units = np.zeros((len(factors) + 1, factors.shape[1]))  # the last row is the padding
        np.divide(factors, lengths, out=units[:-1], where=lengths > 0)
        squares = np.append(lengths[:, 0] > 0, False).astype(np.float64)
        step = max(1, _FACTORS_PER_CHUNK // max(1, lists.shape[1] * factors.shape[1]))
        sums = [units[lists[start : start + step]].sum(axis=1) for start in range(0, len(lists), step)]
        together = np.concatenate([np.einsum("tf,tf->t", part, part) for part in sums])
        return _diversity((together - squares[lists].sum(axis=1)) / 2, evaluation)


def _diversity(cosines: NDArray[np.float64], evaluation: Evaluation) -> PerUser:
    """Turn the sums of cosines over the pairs of each list, shape (t,), into diversity."""
    lengths = evaluation.list_lengths
    counts = lengths >= 2
    pairs = np.maximum(lengths * (lengths - 1) // 2, 1)
    return PerUser(np.where(counts, 1 - cosines / pairs, 0), counts.astype(np.float64))


@dataclass(frozen=True, eq=False)
class CoRating:
    """Co-ratings of items in training: cosines between the sets of users who rated them.

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
            # Without any pair, bincount counts in whole numbers.
            sums.append(np.bincount(row, weights=cosines[place], minlength=len(part)).astype(np.float64))
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
