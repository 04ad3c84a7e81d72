"""One model's answers beside the truth, with the derived arrays that metrics share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.errors import RunError, UsageError
from cfbench.evaluation.metrics.derived import derived, of_split
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import Codes, Floats, RatingScale
from cfbench.resources.cost import Cost

if TYPE_CHECKING:  # scipy.sparse takes long to import, and metrics of predicted ratings do without it
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The input of every metric; every derived array is computed once, on first use, and what depends on the split
    alone once for all models. Arrays are read-only.

    Shapes: m test rows, t test users, n_items training items, k the length of the stored lists.

    Attributes:
        split: training part, test rows, codes.
        answers: the model's raw answers on it.
        cost: what fitting and asking took.
    """

    split: Split
    answers: ModelOutput
    cost: Cost = field(default_factory=Cost)

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
            self._views[k] = replace(self, answers=replace(self.answers, lists=self.lists[:, :k]))
        return self._views[k]

    @derived
    def _views(self) -> dict[int, Evaluation]:
        return {}

    @property
    def people(self) -> NDArray[np.int32]:
        """Distinct test users as positions in the data set's table, ascending, shape (t,)."""
        return self.split.test_user_positions

    @of_split
    def cluster(self) -> NDArray[np.int64]:
        """Index into ``people`` of every test row, shape (m,)."""
        return np.searchsorted(self.people, self.split.test.user_positions)

    @property
    def predictions(self) -> NDArray[np.float32]:
        """The raw predicted ratings, shape (m,); raises RunError for a pure ranker, which has none."""
        if self.answers.predictions is None:
            raise RunError("a metric of ratings was asked for answers without predictions; skip it: it is n/a")
        return self.answers.predictions

    @property
    def lists(self) -> NDArray[np.int32]:
        """The raw top-k lists, shape (t, k), padded with ``n_items``; raises RunError without any."""
        if self.answers.lists is None:
            raise RunError("a metric of lists was asked for answers without lists; skip it: it is n/a")
        return self.answers.lists

    @property
    def score_means(self) -> NDArray[np.float32]:
        """Mean score of each item over each group of users, shape (g, n_items); raises RunError without any."""
        if self.answers.score_means is None:
            raise RunError("a metric of the catalogue's scores was asked for answers without them; skip it: it is n/a")
        return self.answers.score_means

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """The model's own item embeddings, shape (n_items, f); raises RunError for a model without."""
        if self.answers.item_factors is None:
            raise RunError("a metric of embeddings was asked for answers without them; skip it: it is n/a")
        return self.answers.item_factors

    @of_split
    def codes(self) -> Codes:
        """User codes of ``people``, shape (t,); ``n_users`` for everyone outside training."""
        return self.split.user_coding.codes(self.people)

    @derived
    def predicted(self) -> NDArray[np.bool_]:
        """Whether the model itself predicted a rating, shape (m,)."""
        return ~np.isnan(self.predictions)

    @derived
    def clipped(self) -> NDArray[np.bool_]:
        """Whether the model predicted a rating off the scale, shape (m,)."""
        scale = self.split.train.scale
        return (self.predictions < scale.low) | (self.predictions > scale.high)  # NaN compares false

    @derived
    def filled(self) -> NDArray[np.float64]:
        """Predictions with the training mean for every hole, clipped to the scale: shape (m,), float64."""
        train = self.split.train
        return fill_and_clip(self.predictions, train.mean, train.scale)

    @derived
    def errors(self) -> NDArray[np.float64]:
        """Completed prediction minus true rating, in rating units, shape (m,), float64."""
        return self.filled - self.split.test.ratings

    @derived
    def unclipped_errors(self) -> NDArray[np.float64]:
        """Prediction, the training mean for every hole, minus true rating: shape (m,), float64, nothing clipped."""
        filled = np.where(self.predicted, self.predictions, self.split.train.mean)
        return filled.astype(np.float64) - self.split.test.ratings

    def sum_by_user(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``values`` of test rows, shape (m,), over the rows of each test user, shape (t,)."""
        sums = np.bincount(self.cluster, weights=values, minlength=len(self.people))
        return sums.astype(np.float64, copy=False)

    @of_split
    def rows_by_user(self) -> NDArray[np.float64]:
        """Number of test rows of each test user, shape (t,), float64."""
        return np.bincount(self.cluster, minlength=len(self.people)).astype(np.float64)

    @of_split
    def relevant(self) -> NDArray[np.bool_]:
        """Whether a test row is relevant: rating at least ``relevant_from``, shape (m,)."""
        return self.split.test.ratings >= self.split.dataset.relevant_from

    @of_split
    def relevant_pairs(self) -> NDArray[np.int64]:
        """Distinct (test user, relevant item), ascending, as ``user * (things + 1) + thing``.

        Things are positions in the data set's item table, so that cold items are told apart.
        """
        width = len(self.split.dataset.items) + 1
        return _distinct(self.cluster[self.relevant] * width + self.split.test.item_positions[self.relevant])

    @of_split
    def n_relevant(self) -> NDArray[np.int64]:
        """Distinct relevant items of each test user, cold items included, shape (t,)."""
        users = self.relevant_pairs // (len(self.split.dataset.items) + 1)
        return np.bincount(users, minlength=len(self.people))

    @derived
    def hits(self) -> NDArray[np.bool_]:
        """Which places of the lists hold a relevant item of the user, shape (t, k)."""
        n_things = len(self.split.dataset.items)
        thing_of = np.append(self.split.item_coding.positions, n_things)  # padding becomes no thing at all
        offered = np.arange(len(self.people))[:, np.newaxis] * (n_things + 1) + thing_of[self.lists]
        return _among(self.relevant_pairs, offered)

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
        """Whether training holds each pair of index into ``people`` and item code, both shape (p,), of known items."""
        return _among(self._training_pairs, self.codes[users].astype(np.int64) * self.split.train.n_items + items)

    def over_profiles(self, worth: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``worth`` of items over the distinct training items of each test user.

        Shape (n_items,) -> (t,), or (n_items, w) -> (t, w); a user outside training has zeros.
        """
        return np.asarray(self.incidence @ worth.astype(np.float64, copy=False))[self.codes]

    @of_split
    def profile_sizes(self) -> NDArray[np.int64]:
        """Distinct training items of each test user, shape (t,); 0 outside training."""
        return np.diff(self.incidence.indptr)[self.codes].astype(np.int64)

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

        Columns are the items that anybody is shown, in the order of their codes. One object for all metrics, so that
        they are resampled together.
        """
        return _incidence_of(self.lists, self.split.train.n_items)


def _incidence_of(lists: NDArray[np.int32], n_items: int) -> csr_array[Any, tuple[int, int]]:
    """Turn padded lists, shape (t, k), into ones at (list, listed item), without columns for what nobody lists."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - see the head of this module

    listed = lists < n_items
    shown, columns = np.unique(lists[listed], return_inverse=True)
    starts = np.append(0, np.cumsum(listed.sum(axis=1)))
    return csr_array((np.ones(len(columns)), columns, starts), shape=(len(lists), len(shown)))


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct non-negative ``keys``, ascending; ten times faster than the hashing np.unique."""
    ordered = np.sort(keys)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def _among(keys: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which of ``asked``, non-negative and of any shape, are among the ascending ``keys``."""
    found: NDArray[np.bool_] = np.append(keys, -1)[np.searchsorted(keys, asked)] == asked
    return found


def fill_and_clip(predictions: Floats, fallback: float, scale: RatingScale) -> NDArray[np.float64]:
    """Put ``fallback`` for NaN and clip to ``scale``: the same treatment for every model.

    Args:
        predictions: raw predicted ratings, shape (m,), NaN = "cannot say".
        fallback: the training mean, in rating units.
        scale: the declared rating scale.

    Returns the ratings that accuracy metrics use, shape (m,), float64, within the scale, no NaN.
    """
    return np.where(np.isnan(predictions), fallback, predictions.astype(np.float64)).clip(scale.low, scale.high)
