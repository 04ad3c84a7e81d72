"""The MovieLens data sets, read from a folder, the cache, or a verified download; never shipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from cfbench.data.dataset import Dataset, Origin
from cfbench.data.sources.assembly import assembled
from cfbench.data.sources.movielens_editions import HOMEPAGE, ML_1M, ML_100K, ML_LATEST_SMALL, Edition
from cfbench.data.sources.movielens_files import (
    by_title,
    films_100k,
    published_folds,
    read_titles,
    users_1m,
    users_100k,
)
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError
from cfbench.model.limits import require, require_choice

_ORIGIN = Origin(
    licence="GroupLens research licence: no redistribution, no commercial use without permission",
    citation=(
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
        "ACM Transactions on Interactive Intelligent Systems (TiiS) 5, 4, Article 19. doi:10.1145/2827872"
    ),
    homepage=HOMEPAGE,
)
_RELEVANT_FROM = 4.0
_FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")


@dataclass(frozen=True)
class MovieLens100K:
    """MovieLens 100K (1998): 943 users, 1,682 films, 1 to 5 stars, with the published folds u1 to u5, ua and ub.

    Users have ``age`` (years), ``gender``, ``occupation`` and ``zip``; items ``title``, ``genres`` and
    ``year``.

    Attributes:
        items: ``"id"`` takes the published item ids; ``"title"`` takes the title as the item: the 1,682 ids
            become 1,664 titles, and a user's ratings of two ids of one title remain two ratings.
        verify: refuse ratings that are not the published ones; without it the published folds, which would
            not fit altered ratings, are left out.
    """

    items: Literal["id", "title"] = "id"
    verify: bool = True

    origin: ClassVar[Origin] = _ORIGIN

    def __post_init__(self) -> None:
        require_choice(self, ("id", "title"), "items")

    def load(self, storage: Storage) -> Dataset:
        """Return the data, from the cache of parsed data where its files are unchanged."""
        others = ["u.item", "u.user", *(f"{fold}.{part}" for fold in _FOLDS for part in ("base", "test"))]
        return ML_100K.load(self, storage, others, self._read, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return ML_100K.whereabouts(storage)

    def _read(self, folder: Path) -> Dataset:
        raw = ML_100K.read(folder, verify=self.verify)
        folds = published_folds(folder, _FOLDS, raw) if self.verify else {}
        items = films_100k(folder / "u.item")
        name = "ml-100k"
        if self.items == "title":
            if items is None:
                raise DataError(f"{folder} has no u.item, where the titles stand; unpack the whole archive")
            raw_items, items = by_title(raw.items, items)
            raw, name = replace(raw, items=raw_items, unrepeated=False), "ml-100k-titles"
        return assembled(
            name,
            raw,
            scale=ML_100K.scale,
            relevant_from=_RELEVANT_FROM,
            origin=_ORIGIN,
            users=users_100k(folder / "u.user"),
            items=items,
            folds=folds,
        )


@dataclass(frozen=True)
class MovieLens1M:
    """MovieLens 1M (2000): 6,040 users, 3,706 rated films, 1 to 5 stars.

    Users have ``age`` (the lower end of a bracket, 1 for under 18), ``gender``, ``occupation`` and ``zip``;
    items ``title``, ``genres`` and ``year``. Without the published ``ratings.dat`` it reads a
    ``ratings_no_timestamp.csv`` of the same rows.

    Attributes:
        verify: refuse ratings that are not the published ones.
    """

    verify: bool = True

    origin: ClassVar[Origin] = _ORIGIN

    def load(self, storage: Storage) -> Dataset:
        """Return the data, from the cache of parsed data where its files are unchanged."""
        return ML_1M.load(self, storage, ("movies.dat", "users.dat"), self._read, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return ML_1M.whereabouts(storage)

    def _read(self, folder: Path) -> Dataset:
        movies = folder / "movies.dat"
        return assembled(
            "ml-1m",
            ML_1M.read(folder, verify=self.verify),
            scale=ML_1M.scale,
            relevant_from=_RELEVANT_FROM,
            origin=_ORIGIN,
            users=users_1m(folder / "users.dat"),
            items=read_titles(movies, encoding="latin-1") if movies.is_file() else None,
        )


@dataclass(frozen=True)
class MovieLensLatestSmall:
    """MovieLens Latest Small, a development set of which two snapshots are in use: 0.5 to 5 stars in half steps.

    2018: 100,836 ratings by 610 users of 9,724 films. 2016: 100,004 ratings by 671 users of 9,066 films, no longer
    published by GroupLens.

    Attributes:
        year: ``"2018"`` or ``"2016"``.
        verify: refuse ratings that are not the published ones.
    """

    year: str | int = "2018"
    verify: bool = True

    origin: ClassVar[Origin] = _ORIGIN

    def __post_init__(self) -> None:
        require(self, lambda year: str(year) in ML_LATEST_SMALL, " or ".join(ML_LATEST_SMALL), "year")

    def load(self, storage: Storage) -> Dataset:
        """Return the data, from the cache of parsed data where its files are unchanged."""
        return self._edition.load(self, storage, ("movies.csv",), self._read, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return self._edition.whereabouts(storage)

    @property
    def _edition(self) -> Edition:
        return ML_LATEST_SMALL[str(self.year)]

    def _read(self, folder: Path) -> Dataset:
        movies = folder / "movies.csv"
        return assembled(
            self._edition.archive.name,
            self._edition.read(folder, verify=self.verify),
            scale=self._edition.scale,
            relevant_from=_RELEVANT_FROM,
            origin=_ORIGIN,
            items=read_titles(movies, sep=",", header=True) if movies.is_file() else None,
        )
