"""Preprocessors: steps from a data set to a smaller or other one, before it is split; and subsets of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Coding, Dataset, Entities, PublishedFold
from cfbench.errors import DataError
from cfbench.model.limits import require_choice, require_whole
from cfbench.model.ratings import RatingScale


class Preprocessor(Protocol):
    """The contract of a preprocessing plugin (group ``cfbench.preprocessors``).

    It makes another data set of one, before it is split: a dataclass whose init fields are its parameters.

    A step looks at all rows, those that a splitter will test on included, so it is part of the definition of the data
    and not of a model: figures under different steps are figures on different data, however alike the names. Every
    step is recorded with its parameters, and changes the data's fingerprint wherever it changes anything.

    The same data and parameters must give the same result on any machine; a step draws nothing at random.
    """

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the new data set under the same name; raises DataError, with advice, where nothing would be left."""
        ...


def subset(dataset: Dataset, keep: NDArray[np.bool_]) -> Dataset:
    """Return the rows where ``keep``, shape (n,), is True, in their order; the data set itself where nothing goes.

    Users and items without a row are left out, as sources leave them out, and the others stand in order of first
    appearance: a subset has the fingerprint of a file with just these rows. Published folds lose the other rows; a
    fold whose training or test part loses all of them is left out.
    """
    users, user_index = _remaining(dataset.users, dataset.user_index[keep])
    items, item_index = _remaining(dataset.items, dataset.item_index[keep])
    if keep.all() and len(users) == len(dataset.users) and len(items) == len(dataset.items):
        return dataset
    new_row = np.cumsum(keep) - 1
    folds = {}
    for name, fold in dataset.folds.items():
        train, test = (new_row[rows[keep[rows]]] for rows in (fold.train_rows, fold.test_rows))
        if len(train) and len(test):
            folds[name] = PublishedFold(train, test)
    return replace(
        dataset,
        users=users,
        items=items,
        user_index=user_index,
        item_index=item_index,
        ratings=dataset.ratings[keep],
        timestamps=None if dataset.timestamps is None else dataset.timestamps[keep],
        folds=folds,
    )


def _remaining(table: Entities, index: NDArray[np.int32]) -> tuple[Entities, NDArray[np.int32]]:
    """Return the entities of the rows in ``index``, and the rows' positions among them."""
    coding = Coding.of(index, len(table))
    columns = {name: column[coding.positions] for name, column in table.columns.items()}
    return Entities(table.ids[coding.positions], columns), coding.codes(index)


@dataclass(frozen=True)
class MinimumRatings:
    """Removal of users with too few ratings, then of items with too few of the ratings that are left; one pass.

    The second step may leave users with fewer ratings than the first asked for: ``k-core`` repeats until none is.
    MovieLens data sets are published after such a step: their users have at least 20 ratings (Harper and Konstan 2015).

    Attributes:
        user: ratings that a user must have, at least 1.
        item: ratings that an item must have of the users who remain, at least 1.
    """

    user: int = 5
    item: int = 1

    def __post_init__(self) -> None:
        require_whole(self, 1, "user", "item")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the data set of the users and items that remain; raises DataError where none do."""
        keep = (np.bincount(dataset.user_index) >= self.user)[dataset.user_index]
        popularity = np.bincount(dataset.item_index[keep], minlength=len(dataset.items))
        keep &= (popularity >= self.item)[dataset.item_index]
        if not keep.any():
            raise DataError(
                f"minimum-ratings[item={self.item},user={self.user}] leaves none of the {len(dataset)} ratings of "
                f"{dataset.name!r}; use smaller minima"
            )
        return subset(dataset, keep)


@dataclass(frozen=True)
class KCore:
    """Repeated removal of users and items with fewer than k ratings, until every one that is left has k.

    What is left is the largest part of the data in which every user and every item has at least k ratings; it does
    not depend on who is dropped first (Seidman, Network structure and minimum degree, 1983, for graphs). Rows are
    counted: a pair that the data holds twice counts twice.

    Attributes:
        k: ratings that every user and every item must have, at least 1.
    """

    k: int = 5

    def __post_init__(self) -> None:
        require_whole(self, 1, "k")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the k-core; raises DataError where it is empty."""
        users, items = dataset.user_index, dataset.item_index
        rows = np.arange(len(dataset))
        # Every pass counts the ratings that are left, of users and items at once.
        while len(rows):
            enough = (np.bincount(users) >= self.k)[users] & (np.bincount(items) >= self.k)[items]
            if enough.all():
                break
            rows, users, items = rows[enough], users[enough], items[enough]
        if not len(rows):
            raise DataError(
                f"k-core[k={self.k}] of {dataset.name!r} leaves none of its {len(dataset)} ratings; use a smaller k"
            )
        keep = np.zeros(len(dataset), dtype=np.bool_)
        keep[rows] = True
        return subset(dataset, keep)


@dataclass(frozen=True)
class Binarise:
    """Ratings of 1 where they are relevant and 0 where not, on a scale of 0 to 1 with relevance from 1 on.

    Attributes:
        threshold: the rating from which one counts as relevant, in rating units; None takes the data set's own
            ``relevant_from``.
        keep: ``"all"`` keeps the ratings that are not relevant as 0; ``"relevant"`` drops them, which leaves nothing
            but ones, as in data without ratings.
    """

    threshold: float | None = None
    keep: Literal["all", "relevant"] = "all"

    def __post_init__(self) -> None:
        number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if self.threshold is not None and not (number and math.isfinite(self.threshold)):
            raise ValueError(f"threshold={self.threshold!r}: expected a finite rating")
        require_choice(self, ("all", "relevant"), "keep")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the data set of ones and zeros; raises DataError where no rating is relevant."""
        threshold = dataset.relevant_from if self.threshold is None else self.threshold
        relevant = dataset.ratings >= threshold
        if not relevant.any():
            raise DataError(
                f"binarise: no rating of {dataset.name!r} reaches {threshold:g}; its scale is {dataset.scale}: "
                "use a lower threshold"
            )
        binary = replace(dataset, ratings=relevant.astype(np.float32), scale=RatingScale(0.0, 1.0), relevant_from=1.0)
        return subset(binary, relevant) if self.keep == "relevant" else binary
