"""The embedded file, made of the published one.

Run as ``python -m cfbench.data.sources.embedded.build RATINGS MOVIES OUT`` with ``ratings.dat`` and ``movies.dat``
of the MovieTweetings 100K snapshot. The same inputs give the same arrays; the compression may differ with the
zlib at hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.data.sources.movielens import read_titles
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import by_first_appearance, described
from cfbench.errors import DataError


def build(ratings: Path, movies: Path, out: Path) -> None:
    """Write the compact form of the ratings with the titles and genres of the rated movies to ``out``.

    ``users.dat``, which maps users to Twitter accounts, is neither read nor written. Raises DataError where a
    value does not fit the compact types.
    """
    raw = read_ratings(ratings)
    assert raw.timestamps is not None
    user_ids, users = by_first_appearance(raw.users)
    item_ids, items = by_first_appearance(raw.items)
    described_items = described(item_ids, read_titles(movies)).columns
    np.savez_compressed(
        out,
        allow_pickle=False,
        user_ids=_packed(user_ids),
        item_ids=_packed(item_ids),
        titles=_packed(described_items["title"]),
        genres=_packed(described_items["genres"]),
        users=_narrowed(users, np.dtype(np.uint16)),
        items=_narrowed(items, np.dtype(np.uint16)),
        ratings=_narrowed(raw.ratings, np.dtype(np.uint8)),
        timestamps=_narrowed(raw.timestamps, np.dtype(np.uint32)),
    )


def _packed(texts: NDArray[np.str_]) -> NDArray[np.uint8]:
    """Return the texts as UTF-8 bytes, one a line."""
    if any("\n" in text for text in texts.tolist()):
        raise DataError("a text contains a line break, which the compact form uses as separator")
    return np.frombuffer("\n".join(texts.tolist()).encode(), dtype=np.uint8)


def _narrowed(values: NDArray[np.generic], dtype: np.dtype[np.unsignedinteger]) -> NDArray[np.generic]:
    narrow = values.astype(dtype)
    if not np.array_equal(narrow.astype(values.dtype), values):
        raise DataError(f"values do not fit {dtype} without loss")
    return narrow


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:4]))
