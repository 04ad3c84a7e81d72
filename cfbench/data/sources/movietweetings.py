"""MovieTweetings 100K, shipped with cfbench, and a small sample of it.

Run as ``python -m cfbench.data.sources.movietweetings RATINGS MOVIES OUT``, with ``ratings.dat`` and ``movies.dat`` of
the published snapshot, it makes the file that is shipped. The same inputs give the same arrays; the compression may
differ with the zlib at hand.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.preprocessing import subset
from cfbench.data.sources.movielens import films, read_titles
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import by_first_appearance, described
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

_TEXTS = ("user_ids", "item_ids", "titles", "genres")  # arrays of the shipped file, one text a line
_CORE_ITEMS = 200  # a regular user of the sample is known by ratings of the most rated items
_LEAST_CORE_RATINGS = 10
_SAMPLED_ITEMS = 600
_REGULARS = 200
_NEW_USERS = 150


@dataclass(frozen=True)
class MovieTweetings100K:
    """The first 100,000 ratings collected from tweets in 2013: 16,554 users, 10,506 films, 0 to 10.

    Very sparse: half of the users have two ratings or fewer. Item ids are IMDb numbers with leading zeros. An
    item counts as relevant from 8 on.
    """

    origin: ClassVar[Origin] = Origin(
        licence="MIT",
        citation=(
            "Simon Dooms, Toon De Pessemier, Luc Martens. MovieTweetings: a Movie Rating Dataset Collected From "
            "Twitter. Workshop on Crowdsourcing and Human Computation for Recommender Systems (CrowdRec) at RecSys "
            "2013."
        ),
        homepage="https://github.com/sidooms/MovieTweetings",
    )

    def load(self, storage: Storage) -> Dataset:  # noqa: ARG002 - shipped, nothing to look for
        """Unpack the embedded file, whose entities are in order of first appearance."""
        packed = files("cfbench.data.sources").joinpath("embedded/movietweetings-100k.npz")
        with as_file(packed) as path, np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        user_ids, *films_columns = (columns[name].tobytes().decode().split("\n") for name in _TEXTS)
        return Dataset(
            name="movietweetings-100k",
            users=Entities(np.array(user_ids)),
            items=films(*films_columns),
            user_index=columns["users"].astype(np.int32),
            item_index=columns["items"].astype(np.int32),
            ratings=columns["ratings"].astype(np.float32),
            timestamps=columns["timestamps"].astype(np.int64),
            scale=RatingScale(0.0, 10.0),
            relevant_from=8.0,
            origin=self.origin,
        )

    def whereabouts(self, storage: Storage) -> str:  # noqa: ARG002
        """Return that it is shipped."""
        return "embedded"


@dataclass(frozen=True)
class MovieTweetingsSample(MovieTweetings100K):
    """4,971 ratings of MovieTweetings 100K for quick runs and tests: 316 users, 571 films.

    Ratings of the 600 most rated films by 200 regular users (at least 10 ratings among the 200 most rated films) and
    150 new users (one or two ratings in all), both spread evenly over the whole period. So there is something to
    learn, and there are cold users and cold items.
    """

    def load(self, storage: Storage) -> Dataset:
        """Select the rows out of the embedded file; the same ones every time."""
        whole = super().load(storage)
        n_of_item, n_of_user = np.bincount(whole.item_index), np.bincount(whole.user_index)
        rank = np.empty(len(n_of_item), dtype=np.int64)
        rank[np.argsort(-n_of_item, kind="stable")] = np.arange(len(n_of_item))
        of_core = rank[whole.item_index] < _CORE_ITEMS
        n_of_core = np.bincount(whole.user_index[of_core], minlength=len(n_of_user))
        chosen = np.zeros(len(n_of_user), dtype=np.bool_)
        regulars, new_users = np.flatnonzero(n_of_core >= _LEAST_CORE_RATINGS), np.flatnonzero(n_of_user <= 2)
        for candidates, n in ((regulars, _REGULARS), (new_users, _NEW_USERS)):
            chosen[candidates[np.arange(n) * len(candidates) // n]] = True  # at equal distances
        kept = subset(whole, chosen[whole.user_index] & (rank[whole.item_index] < _SAMPLED_ITEMS))
        return replace(kept, name="movietweetings-sample")


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
