"""MovieTweetings 100K, shipped with cfbench, and a small sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.ids import Coding
from cfbench.data.sources.source import Storage
from cfbench.data.sources.title_columns import films
from cfbench.model.ratings import RatingScale

_ORIGIN = Origin(
    licence="MIT",
    citation=(
        "Simon Dooms, Toon De Pessemier, Luc Martens. MovieTweetings: a Movie Rating Dataset Collected From "
        "Twitter. Workshop on Crowdsourcing and Human Computation for Recommender Systems (CrowdRec) at RecSys 2013."
    ),
    homepage="https://github.com/sidooms/MovieTweetings",
)

_CORE_ITEMS = 200  # a regular of the sample is known by his ratings of the most rated items
_LEAST_CORE_RATINGS = 10
_SAMPLED_ITEMS = 600
_REGULARS = 200
_NEWCOMERS = 150


@dataclass(frozen=True)
class MovieTweetings100K:
    """The first 100,000 ratings collected from tweets in 2013: 16,554 users, 10,506 films, 0 to 10.

    Very sparse: half of the users have two ratings or fewer. Item ids are IMDb numbers with leading zeros. An
    item counts as relevant from 8 on.
    """

    origin: ClassVar[Origin] = _ORIGIN

    def load(self, storage: Storage) -> Dataset:  # noqa: ARG002 - shipped, nothing to look for
        """Unpack the embedded file."""
        columns = _unpacked()
        return _dataset("movietweetings-100k", columns, np.arange(len(columns["ratings"])))

    def whereabouts(self, storage: Storage) -> str:  # noqa: ARG002
        """Say that it is shipped."""
        return "embedded"


@dataclass(frozen=True)
class MovieTweetingsSample:
    """4,971 ratings of MovieTweetings 100K for quick runs and tests: 316 users, 571 films.

    Of the 600 most rated films: what 200 regulars (at least 10 ratings among the 200 most rated films) and
    150 newcomers (one or two ratings in all) say, both spread evenly over the whole period. So there is
    something to learn, and there are cold users and cold items.
    """

    origin: ClassVar[Origin] = _ORIGIN

    def load(self, storage: Storage) -> Dataset:  # noqa: ARG002 - shipped, nothing to look for
        """Choose the rows out of the embedded file; the same ones every time."""
        columns = _unpacked()
        return _dataset("movietweetings-sample", columns, _sampled_rows(columns["users"], columns["items"]))

    def whereabouts(self, storage: Storage) -> str:  # noqa: ARG002
        """Say that it is shipped."""
        return "embedded"


def _unpacked() -> dict[str, NDArray[np.generic]]:
    packed = files("cfbench.data.sources").joinpath("embedded/movietweetings-100k.npz")
    with as_file(packed) as path, np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _dataset(name: str, columns: dict[str, NDArray[np.generic]], rows: NDArray[np.intp]) -> Dataset:
    """Build the data set of ``rows``, its entities in order of first appearance among them."""
    ids, titles, genres = (np.array(_lines(columns[key])) for key in ("item_ids", "titles", "genres"))
    user_ids = np.array(_lines(columns["user_ids"]))
    users, items = (columns[key][rows].astype(np.int32) for key in ("users", "items"))
    user_coding, item_coding = Coding.of(users, len(user_ids)), Coding.of(items, len(ids))
    kept = item_coding.positions
    return Dataset(
        name=name,
        users=Entities(user_ids[user_coding.positions]),
        items=films(ids[kept].tolist(), titles[kept].tolist(), genres[kept].tolist()),
        user_index=user_coding.codes(users),
        item_index=item_coding.codes(items),
        ratings=columns["ratings"][rows].astype(np.float32),
        timestamps=columns["timestamps"][rows].astype(np.int64),
        scale=RatingScale(0.0, 10.0),
        relevant_from=8.0,
        origin=_ORIGIN,
    )


def _lines(packed: NDArray[np.generic]) -> list[str]:
    return packed.tobytes().decode().split("\n")


def _sampled_rows(users: NDArray[np.generic], items: NDArray[np.generic]) -> NDArray[np.intp]:
    users, items = users.astype(np.int64), items.astype(np.int64)
    item_counts, user_counts = np.bincount(items), np.bincount(users)
    rank = np.empty(len(item_counts), dtype=np.int64)
    rank[np.argsort(-item_counts, kind="stable")] = np.arange(len(item_counts))
    core = np.bincount(users[rank[items] < _CORE_ITEMS], minlength=len(user_counts))
    chosen = np.zeros(len(user_counts), dtype=np.bool_)
    chosen[_spread(np.flatnonzero(core >= _LEAST_CORE_RATINGS), _REGULARS)] = True
    chosen[_spread(np.flatnonzero(user_counts <= 2), _NEWCOMERS)] = True
    return np.flatnonzero(chosen[users] & (rank[items] < _SAMPLED_ITEMS))


def _spread(candidates: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Return ``n`` of ``candidates`` at equal distances."""
    return candidates[np.arange(n) * len(candidates) // n]
