"""One model's answers beside the truth, with the derived arrays that metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.answers import Answers
from cfbench.errors import RunError
from cfbench.predictions import Completed, fill_and_clip
from cfbench.splits.split import Split


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The input of every metric; every derived array is computed once, on first use.

    Shapes: m test rows, t test users, n_items training items, k the length of the stored lists.

    Attributes:
        split: training part, test rows, codes.
        answers: the model's raw answers on it.
    """

    split: Split
    answers: Answers

    @property
    def people(self) -> NDArray[np.int32]:
        """Distinct test users as positions in the data set's table, ascending, shape (t,)."""
        return self.split.people

    @cached_property
    def cluster(self) -> NDArray[np.int64]:
        """Index into ``people`` of every test row, shape (m,)."""
        return np.searchsorted(self.people, self.split.test.people)

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

    @cached_property
    def answered(self) -> NDArray[np.bool_]:
        """Whether the model itself said a rating, shape (m,)."""
        return ~np.isnan(self.predictions)

    @cached_property
    def completed(self) -> Completed:
        """Predictions with the training mean for every hole, clipped to the scale, and how many of each."""
        train = self.split.train
        return fill_and_clip(self.predictions, train.mean, train.scale)

    @property
    def filled(self) -> NDArray[np.float64]:
        """Completed predictions in rating units, shape (m,), float64."""
        return self.completed.values

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """Completed prediction minus true rating, in rating units, shape (m,), float64."""
        return self.filled - self.split.test.ratings

    def per_person(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum ``values`` of test rows, shape (m,), over the rows of each test user, shape (t,)."""
        sums = np.bincount(self.cluster, weights=values, minlength=len(self.people))
        return sums.astype(np.float64, copy=False)

    @cached_property
    def rows_per_person(self) -> NDArray[np.float64]:
        """Number of test rows of each test user, shape (t,), float64."""
        return np.bincount(self.cluster, minlength=len(self.people)).astype(np.float64)

    @cached_property
    def liked(self) -> NDArray[np.bool_]:
        """Whether a test row is relevant: rating at least ``relevant_from``, shape (m,)."""
        return self.split.test.ratings >= self.split.dataset.relevant_from

    @cached_property
    def relevant_pairs(self) -> NDArray[np.int64]:
        """Distinct (test user, relevant item), ascending, as ``user * (things + 1) + thing``.

        Things are positions in the data set's item table, so that cold items are told apart.
        """
        width = len(self.split.dataset.items) + 1
        return _distinct(self.cluster[self.liked] * width + self.split.test.things[self.liked])

    @cached_property
    def n_relevant(self) -> NDArray[np.int64]:
        """Distinct relevant items of each test user, cold items included, shape (t,)."""
        users = self.relevant_pairs // (len(self.split.dataset.items) + 1)
        return np.bincount(users, minlength=len(self.people))

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """Which places of the lists hold a relevant item of the user, shape (t, k)."""
        n_things = len(self.split.dataset.items)
        thing_of = np.append(self.split.item_coding.positions, n_things)  # padding becomes no thing at all
        offered = np.arange(len(self.people))[:, np.newaxis] * (n_things + 1) + thing_of[self.lists]
        wanted = self.relevant_pairs
        hits: NDArray[np.bool_] = np.append(wanted, -1)[np.searchsorted(wanted, offered)] == offered
        return hits

    @cached_property
    def phi(self) -> NDArray[np.int64]:
        """Popularity: distinct training users of every training item, shape (n_items,)."""
        train = self.split.train
        pairs = train.users.astype(np.int64) * train.n_items + train.items
        return np.bincount(_distinct(pairs) % train.n_items, minlength=train.n_items)

    @cached_property
    def by_popularity(self) -> NDArray[np.int64]:
        """Item codes from the most to the least popular, shape (n_items,).

        Equally popular items follow their position in the data set's table, so the order does not depend on
        the order of the training rows.
        """
        return np.lexsort((self.split.item_coding.positions, -self.phi))

    @cached_property
    def head(self) -> NDArray[np.bool_]:
        """Whether an item is in the smallest set that covers 80 % of training interactions, (n_items,)."""
        covered = np.cumsum(self.phi[self.by_popularity])
        size = int(np.searchsorted(covered * 5, covered[-1] * 4)) + 1  # whole numbers: no rounding at 80 %
        head = np.zeros(len(self.phi), dtype=bool)
        head[self.by_popularity[:size]] = True
        return head

    @property
    def tail(self) -> NDArray[np.bool_]:
        """The long tail: whether an item is outside ``head``, shape (n_items,)."""
        return ~self.head


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct non-negative ``keys``, ascending; ten times faster than the hashing np.unique."""
    ordered = np.sort(keys)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]
