"""Subsets of a data set's rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, PublishedFold
from cfbench.data.ids import Coding


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
