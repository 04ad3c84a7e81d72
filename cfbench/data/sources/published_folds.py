"""Published folds: files of rows, found again in the data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import PublishedFold
from cfbench.data.sources.assembly import positions_of
from cfbench.data.sources.raw_ratings import RawRatings
from cfbench.data.sources.tabular import read_ratings
from cfbench.errors import DataError


def published_folds(folder: Path, names: Iterable[str], raw: RawRatings) -> dict[str, PublishedFold]:
    """Return the folds whose ``NAME.base`` and ``NAME.test`` are in ``folder``, as rows of ``raw`` in file order.

    ``raw`` must have no repeated pair. Raises DataError where a fold's row is not among the data.
    """
    folds = {}
    for name in names:
        base, test = folder / f"{name}.base", folder / f"{name}.test"
        if base.is_file() and test.is_file():
            folds[name] = PublishedFold(_rows_of(read_ratings(base), raw), _rows_of(read_ratings(test), raw))
    return folds


def _rows_of(part: RawRatings, whole: RawRatings) -> NDArray[np.int64]:
    """Return for each row of ``part`` the row of ``whole`` with the same user, item and rating."""
    # Positions of the part's ids among the labels of the whole, -1 where it lacks them.
    users = positions_of(part.users.labels, whole.users.labels)[part.users.index]
    items = positions_of(part.items.labels, whole.items.labels)[part.items.index]
    keys = whole.pair_keys()
    order = np.argsort(keys, kind="stable")
    wanted = users * len(whole.items.labels) + items
    rows = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    strange = (users < 0) | (items < 0) | (keys[rows] != wanted) | (whole.ratings[rows] != part.ratings)
    if strange.any():
        raise DataError(
            f"{part.file}, {part.place(int(np.argmax(strange)))}: this rating is not in {whole.file}; "
            "the two files belong to different versions of the data: download them again"
        )
    return rows
