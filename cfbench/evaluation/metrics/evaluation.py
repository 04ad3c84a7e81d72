"""One model's output beside the truth, with the derived arrays that metrics share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.errors import RunError, UsageError
from cfbench.evaluation.statistics.bootstrap import PerUser
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import Codes, Floats, RatingScale
from cfbench.resources.cost import Cost

if TYPE_CHECKING:  # scipy.sparse takes long to import, and metrics of predicted ratings do without it
    from scipy.sparse import csr_array

T = TypeVar("T")

_OF_SPLITS: WeakKeyDictionary[Split, dict[str, Any]] = WeakKeyDictionary()


def derived(compute: Callable[[Any], T]) -> cached_property[T]:
    """A property computed on first use, kept, and made read-only: no metric can falsify the next."""

    @wraps(compute)
    def once(owner: Any) -> T:
        value = compute(owner)
        # A sparse array is made of three.
        for array in (value, *(getattr(value, part, None) for part in ("data", "indices", "indptr"))):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        return value

    return cached_property(once)


def of_split(compute: Callable[[Any], T]) -> cached_property[T]:
    """A property like one of :func:`derived`, for what depends on ``owner.split`` alone.

    It is computed once for all models measured on the split, and kept as long as the split lives.
    """
    once = derived(compute).func

    def shared(owner: Any) -> T:
        known: dict[str, T] = _OF_SPLITS.setdefault(owner.split, {})
        if compute.__name__ not in known:
            known[compute.__name__] = once(owner)
        return known[compute.__name__]

    return cached_property(wraps(compute)(shared))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Input of every metric. Derived arrays are read-only and computed once, on first use; those that depend on the
    split alone are computed once for all models.

    Shapes: m test rows, t test users, n_items training items, k the length of the stored lists.

    Attributes:
        split: training part, test rows, codes.
        output: the model's raw output on it.
        cost: the cost of fitting and predicting.
    """

    split: Split
    output: ModelOutput
    cost: Cost = field(default_factory=Cost)
    _views: dict[int, Evaluation] = field(default_factory=dict, init=False, repr=False)

    def of_first(self, k: int) -> Evaluation:
        """Return the same with lists of their first ``k`` places, one object for each ``k``.

        Raises UsageError where the lists are shorter.
        """
        length = self.lists.shape[1]
        if length < k:
            raise UsageError(
                f"lists of {k} items are needed, the stored ones hold {length}; rank again with longer lists or lower k"
            )
        if length == k:
            return self
        if k not in self._views:
            self._views[k] = replace(self, output=replace(self.output, lists=self.lists[:, :k]))
        return self._views[k]

    def _required(self, name: str, who: str) -> NDArray[Any]:
        """Return an array of the output; raises RunError without it, naming the metrics that need it."""
        array: NDArray[Any] | None = getattr(self.output, name)
        if array is None:
            raise RunError(f"a metric of {who} was applied to output without {name}; skip it: it is n/a")
        return array

    @property
    def predictions(self) -> NDArray[np.float32]:
        """The raw predicted ratings, shape (m,); raises RunError for a pure ranker, which has none."""
        return self._required("predictions", "ratings")

    @property
    def lists(self) -> NDArray[np.int32]:
        """The raw top-k lists, shape (t, k), padded with ``n_items``; raises RunError without any."""
        return self._required("lists", "lists")

    @property
    def score_means(self) -> NDArray[np.float32]:
        """Mean score of each item over each group of users, shape (g, n_items); raises RunError without any."""
        return self._required("score_means", "the catalogue's scores")

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """The model's own item embeddings, shape (n_items, f); raises RunError for a model without."""
        return self._required("item_factors", "embeddings")

    @property
    def test_user_positions(self) -> NDArray[np.int32]:
        """Distinct test users as positions in the data set's table, ascending, shape (t,)."""
        return self.split.test_user_positions

    @of_split
    def user_of_row(self) -> NDArray[np.int64]:
        """Index into ``test_user_positions`` of every test row, shape (m,)."""
        return np.searchsorted(self.test_user_positions, self.split.test.user_positions)

    @of_split
    def user_codes(self) -> Codes:
        """User codes of the test users, shape (t,); ``n_users`` for everyone outside training."""
        return self.split.user_coding.codes(self.test_user_positions)

    @derived
    def predicted(self) -> NDArray[np.bool_]:
        """Whether the model itself predicted a rating, shape (m,)."""
        return ~np.isnan(self.predictions)

    @derived
    def off_scale(self) -> NDArray[np.bool_]:
        """Whether the model predicted a rating off the scale, shape (m,)."""
        scale = self.split.train.scale
        return (self.predictions < scale.low) | (self.predictions > scale.high)  # NaN compares false

    @derived
    def filled(self) -> NDArray[np.float64]:
        """Predictions with the training mean for every hole, clipped to the scale: shape (m,), float64."""
        return fill_and_clip(self.predictions, self.split.train.mean, self.split.train.scale)

    @derived
    def errors(self) -> NDArray[np.float64]:
        """Filled and clipped prediction minus true rating, in rating units, shape (m,), float64."""
        return self.filled - self.split.test.ratings

    @derived
    def unclipped_errors(self) -> NDArray[np.float64]:
        """Prediction, the training mean for every hole, minus true rating: shape (m,), float64, nothing clipped."""
        filled = np.where(self.predicted, self.predictions, self.split.train.mean)
        return filled.astype(np.float64) - self.split.test.ratings

    def sum_by_user(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``values`` of test rows, shape (m,), over the rows of each test user, shape (t,)."""
        sums = np.bincount(self.user_of_row, weights=values, minlength=len(self.test_user_positions))
        return sums.astype(np.float64, copy=False)

    def mean_over_rows(self, values: NDArray[Any], *, rooted: bool = False) -> PerUser:
        """Average ``values`` of test rows, shape (m,), over all of them; take the root of the mean if ``rooted``."""
        return PerUser(self.sum_by_user(values), self.rows_by_user, rooted)

    @of_split
    def rows_by_user(self) -> NDArray[np.float64]:
        """Number of test rows of each test user, shape (t,), float64."""
        return np.bincount(self.user_of_row, minlength=len(self.test_user_positions)).astype(np.float64)

    @of_split
    def relevant(self) -> NDArray[np.bool_]:
        """Whether a test row is relevant: rating at least ``relevant_from``, shape (m,)."""
        return self.split.test.ratings >= self.split.dataset.relevant_from

    @of_split
    def relevant_pairs(self) -> NDArray[np.int64]:
        """Distinct (test user, relevant item), ascending, as ``user * (positions + 1) + position``.

        Items are given by position in the data set's item table, so that cold items are told apart.
        """
        width = len(self.split.dataset.items) + 1
        return _distinct(self.user_of_row[self.relevant] * width + self.split.test.item_positions[self.relevant])

    @of_split
    def n_relevant(self) -> NDArray[np.int64]:
        """Distinct relevant items of each test user, cold items included, shape (t,)."""
        users = self.relevant_pairs // (len(self.split.dataset.items) + 1)
        return np.bincount(users, minlength=len(self.test_user_positions))

    @derived
    def hits(self) -> NDArray[np.bool_]:
        """Which places of the lists hold a relevant item of the user, shape (t, k)."""
        n_positions = len(self.split.dataset.items)
        position_of = np.append(self.split.item_coding.positions, n_positions)  # the padding is no item
        listed = np.arange(len(self.test_user_positions))[:, np.newaxis] * (n_positions + 1) + position_of[self.lists]
        return _among(self.relevant_pairs, listed)

    def mean_over_relevant(self, gained: NDArray[Any], possible: NDArray[Any] | int) -> PerUser:
        """Average ``gained / possible``, shape (t,) each, over the users with a relevant test item."""
        counts = self.n_relevant > 0
        shares = np.divide(gained, possible, out=np.zeros(len(gained)), where=counts)
        return PerUser(shares, counts.astype(np.float64))

    @derived
    def list_lengths(self) -> NDArray[np.int64]:
        """How many items each list holds, shape (t,)."""
        return np.asarray((self.lists < self.split.train.n_items).sum(axis=1))

    def sum_over_lists(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``values`` of items, shape (n_items,) or (n_items, w), over each list: (t,) or (t, w), float64."""
        padded = np.concatenate([values, np.zeros((1, *values.shape[1:]), dtype=values.dtype)])
        return np.asarray(padded[self.lists].sum(axis=1, dtype=np.float64))

    def mean_over_lists(self, values: NDArray[Any]) -> PerUser:
        """Average ``values`` of items, shape (n_items,), over each list, then over the users with a list."""
        means = self.sum_over_lists(values) / np.maximum(self.list_lengths, 1)
        return PerUser(means, (self.list_lengths > 0).astype(np.float64))

    @of_split
    def _training_pairs(self) -> NDArray[np.int64]:
        """Distinct (user, item) of training, ascending, as ``user * n_items + item``."""
        train = self.split.train
        return _distinct(train.users.astype(np.int64) * train.n_items + train.items)

    @of_split
    def incidence(self) -> csr_array[Any, tuple[int, int]]:
        """Ones where a user rated an item in training, sparse, shape (n_users + 1, n_items), float64.

        The last row is that of every unknown user: empty. A pair that was rated twice is there once.
        """
        from scipy.sparse import csr_array  # noqa: PLC0415 - see the head of this module

        train = self.split.train
        users, items = np.divmod(self._training_pairs, train.n_items)
        starts = np.searchsorted(users, np.arange(train.n_users + 2))
        return csr_array((np.ones(len(items)), items, starts), shape=(train.n_users + 1, train.n_items))

    def has_trained_on(self, users: NDArray[np.integer[Any]], items: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether training holds each pair of test user, by index, and known item, by code; both shape (p,)."""
        return _among(self._training_pairs, self.user_codes[users].astype(np.int64) * self.split.train.n_items + items)

    def sum_over_profiles(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``values`` of items over the distinct training items of each test user.

        Shape (n_items,) -> (t,), or (n_items, w) -> (t, w); a user outside training has zeros.
        """
        return np.asarray(self.incidence @ values.astype(np.float64, copy=False))[self.user_codes]

    @of_split
    def profile_sizes(self) -> NDArray[np.int64]:
        """Distinct training items of each test user, shape (t,); 0 outside training."""
        return np.diff(self.incidence.indptr)[self.user_codes].astype(np.int64)

    @of_split
    def item_popularity(self) -> NDArray[np.int64]:
        """Popularity: distinct training users of every training item, shape (n_items,)."""
        return np.bincount(self.incidence.indices, minlength=self.split.train.n_items)

    @of_split
    def by_popularity(self) -> NDArray[np.int64]:
        """Item codes from the most to the least popular, shape (n_items,).

        Equally popular items follow their position in the data set's table, so the order does not depend on
        the order of the training rows.
        """
        return np.lexsort((self.split.item_coding.positions, -self.item_popularity))

    def most_popular(self, fifths: int) -> NDArray[np.bool_]:
        """Whether an item is in the smallest set of most popular ones with ``fifths`` / 5 of the training pairs.

        Returns a mask of shape (n_items,). In whole numbers: nothing is rounded at the border.
        """
        covered = np.cumsum(self.item_popularity[self.by_popularity])
        size = int(np.searchsorted(covered * 5, covered[-1] * fifths)) + 1
        mask = np.zeros(len(self.item_popularity), dtype=bool)
        mask[self.by_popularity[:size]] = True
        return mask

    @of_split
    def head(self) -> NDArray[np.bool_]:
        """Whether an item is in the smallest set that covers 80 % of training interactions, (n_items,)."""
        return self.most_popular(4)

    @property
    def tail(self) -> NDArray[np.bool_]:
        """The long tail: whether an item is outside ``head``, shape (n_items,)."""
        return ~self.head

    @derived
    def exposures(self) -> csr_array[Any, tuple[int, int]]:
        """Which items each list shows: ones, sparse, shape (t, shown), float64.

        Columns are the items on any list, in the order of their codes. One object for all metrics, so that
        they are resampled together.
        """
        from scipy.sparse import csr_array  # noqa: PLC0415 - see the head of this module

        listed = self.lists < self.split.train.n_items
        shown, columns = np.unique(self.lists[listed], return_inverse=True)
        starts = np.append(0, np.cumsum(listed.sum(axis=1)))
        return csr_array((np.ones(len(columns)), columns, starts), shape=(len(self.lists), len(shown)))


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct non-negative ``keys``, ascending; ten times faster than the hashing np.unique."""
    ordered = np.sort(keys)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def _among(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of ``wanted``, non-negative and of any shape, are among the ascending ``keys``."""
    return np.asarray(np.append(keys, -1)[np.searchsorted(keys, wanted)] == wanted)


def fill_and_clip(predictions: Floats, fallback: float, scale: RatingScale) -> NDArray[np.float64]:
    """Put ``fallback`` for NaN and clip to ``scale``: the same treatment for every model.

    Args:
        predictions: raw predicted ratings, shape (m,), NaN = no prediction.
        fallback: the training mean, in rating units.
        scale: the declared rating scale.

    Returns the ratings that accuracy metrics use, shape (m,), float64, within the scale, no NaN.
    """
    return np.where(np.isnan(predictions), fallback, predictions.astype(np.float64)).clip(scale.low, scale.high)
