"""The MovieLens data sets, read from a folder, the cache, or a verified download; never shipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress, islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.sources.download import Edition
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings, assembled, described, positions_of
from cfbench.data.sources.source import Storage
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError
from cfbench.model.limits import require, require_choice
from cfbench.model.ratings import RatingScale

_HOMEPAGE = "https://grouplens.org/datasets/movielens/"
_OFFICIAL = "files.grouplens.org/datasets/movielens"
_ORIGIN = Origin(
    licence="GroupLens research licence: no redistribution, no commercial use without permission",
    citation=(
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
        "ACM Transactions on Interactive Intelligent Systems (TiiS) 5, 4, Article 19. doi:10.1145/2827872"
    ),
    homepage=_HOMEPAGE,
)
_assembled = partial(assembled, relevant_from=4.0, origin=_ORIGIN)
_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)")
_NO_GENRE = "(no genres listed)"
_ML_100K_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_ML_1M_OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip

_FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
ML_100K = Edition(
    name="ml-100k",
    urls=(f"https://{_OFFICIAL}/ml-100k.zip",),
    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    megabytes=5,
    homepage=_HOMEPAGE + "100k/",
    rating_files=("u.data",),
    other_files=("u.item", "u.user", *(f"{fold}.{part}" for fold in _FOLDS for part in ("base", "test"))),
    content="b076589af3833f672bca4380a74ff2dd50d6171cb2657927e80a305d24855bc3",
    scale=RatingScale(1.0, 5.0),
)
ML_1M = Edition(
    name="ml-1m",
    urls=(f"https://{_OFFICIAL}/ml-1m.zip",),
    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    megabytes=6,
    homepage=_HOMEPAGE + "1m/",
    rating_files=("ratings.dat", "ratings_no_timestamp.csv"),
    other_files=("movies.dat", "users.dat"),
    content="9210fb40605341f1ad4da391b9f52719ce0014dbcfc2cf0e4600b734b64147a4",
    scale=RatingScale(1.0, 5.0),
    opening=(b"1::661::3::", b"1,1193,5"),
)
# GroupLens replaces ml-latest-small.zip in place, so no checksum of the archive is stable: the ratings are checked.
_LATEST_SMALL = Edition(
    name="ml-latest-small-2018",
    urls=(f"https://{_OFFICIAL}/ml-latest-small.zip",),
    sha256=None,
    megabytes=1,
    homepage=_HOMEPAGE + "latest/",
    rating_files=("ratings.csv",),
    other_files=("movies.csv",),
    content="3c21eb4cf72e2382926e7f371f5a7463fac1086741c60e5050491892f2fb9bb7",
    scale=RatingScale(0.5, 5.0),
    shared_folder="ml-latest-small",
    opening=(b"1,1,4.0,",),
)
ML_LATEST_SMALL = {
    "2018": _LATEST_SMALL,
    "2016": replace(
        _LATEST_SMALL,
        name="ml-latest-small-2016",
        urls=(f"https://web.archive.org/web/2017id_/http://{_OFFICIAL}/ml-latest-small.zip",),
        homepage=f"https://web.archive.org/web/2017/http://{_OFFICIAL}/ml-latest-small.zip",
        content="ae242a8ae08a820ee751a88f082936dd2f57bf4aec1cec467a9c1d64bedf98f7",
        opening=(b"1,31,2.5,",),
    ),
}


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
        return ML_100K.load(self, storage, self._built, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return ML_100K.whereabouts(storage)

    def _built(self, raw: RawRatings, folder: Path) -> Dataset:
        folds = published_folds(folder, _FOLDS, raw) if self.verify else {}
        users = _users(folder / "u.user", "|", ("id", "age", "gender", "occupation", "zip"))
        items, name = films_100k(folder / "u.item"), "ml-100k"
        if self.items == "title":
            if items is None:
                raise DataError(f"{folder} has no u.item, where the titles stand; unpack the whole archive")
            raw_items, items = by_title(raw.items, items)
            raw, name = replace(raw, items=raw_items, unrepeated=False), "ml-100k-titles"
        return _assembled(name, raw, scale=ML_100K.scale, users=users, items=items, folds=folds)


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
        return ML_1M.load(self, storage, self._built, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return ML_1M.whereabouts(storage)

    def _built(self, raw: RawRatings, folder: Path) -> Dataset:
        movies = folder / "movies.dat"
        users = _users(folder / "users.dat", "::", ("id", "gender", "age", "occupation", "zip"), _ML_1M_OCCUPATIONS)
        items = read_titles(movies, encoding="latin-1") if movies.is_file() else None
        return _assembled("ml-1m", raw, scale=ML_1M.scale, users=users, items=items)


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
        return self._edition.load(self, storage, self._built, verify=self.verify)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from."""
        return self._edition.whereabouts(storage)

    @property
    def _edition(self) -> Edition:
        return ML_LATEST_SMALL[str(self.year)]

    def _built(self, raw: RawRatings, folder: Path) -> Dataset:
        movies = folder / "movies.csv"
        items = read_titles(movies, sep=",", header=True) if movies.is_file() else None
        return _assembled(self._edition.name, raw, scale=self._edition.scale, items=items)


def read_titles(path: Path, *, sep: str = "::", encoding: str = "utf-8", header: bool = False) -> Entities:
    """Read a file of (item id, title, genres joined by ``|``) into a table of items.

    Raises DataError that names the line where a row has other than three fields.
    """
    ids, titles, genres = [], [], []
    for line, fields in islice(TextFile(path, sep, encoding).records(), int(header), None):
        if len(fields) != 3:
            raise DataError(f"{path}, line {line}: expected item id, title and genres, got {len(fields)} fields")
        ids.append(fields[0])
        titles.append(fields[1])
        genres.append("" if fields[2] == _NO_GENRE else fields[2])
    return films(ids, titles, genres)


def films(ids: Sequence[str], titles: Sequence[str], genres: Sequence[str]) -> Entities:
    """Return a table of films with ``title`` (as published, with the year), ``genres`` and ``year``."""
    id_texts, title, genre = (texts(values, "a title or id") for values in (ids, titles, genres))
    return Entities(id_texts, {"title": title, "genres": genre, "year": years(titles)})


def years(titles: Sequence[str]) -> NDArray[np.float32]:
    """Return the year that stands last in brackets in each title, e.g. 1995 in ``"Toy Story (1995)"``, else NaN."""
    found = (_YEAR.findall(title) for title in titles)
    return np.array([float(matches[-1]) if matches else np.nan for matches in found], dtype=np.float32)


def films_100k(path: Path) -> Entities | None:
    """Read ``u.item``: id, title, three fields not used here, and one 0 or 1 per genre; None without the file."""
    if not path.is_file():
        return None
    rows = list(_rows(path, "|", 5 + len(_ML_100K_GENRES)))
    genres = ["|".join(compress(_ML_100K_GENRES, [has == "1" for has in row[5:]])) for row in rows]
    return films([row[0] for row in rows], [row[1] for row in rows], genres)


def by_title(items: IdColumn, table: Entities) -> tuple[IdColumn, Entities]:
    """Merge items of one title; columns are those of the first of them in ``table``."""
    titles, first = np.unique(table.columns["title"], return_index=True)
    own_title = described(items.labels, table).columns["title"]
    labels, merged = np.unique(own_title, return_inverse=True)
    columns = {name: column[first] for name, column in table.columns.items()}
    return IdColumn(labels, merged.astype(np.int32)[items.index]), Entities(titles, columns)


def _users(path: Path, sep: str, layout: Sequence[str], occupations: Sequence[str] = ()) -> Entities | None:
    """Read a file of users, its fields as in ``layout``; None where there is none.

    Occupations stand there as texts, or as numbers where their names are given.
    """
    if not path.is_file():
        return None
    rows = list(_rows(path, sep, len(layout)))
    if not rows:
        raise DataError(f"{path} is empty; unpack the archive again")
    fields = dict(zip(layout, zip(*rows, strict=True), strict=True))
    if occupations:
        name_of = {str(number): name for number, name in enumerate(occupations)}
        unknown = next((number for number in fields["occupation"] if number not in name_of), None)
        if unknown is not None:
            raise DataError(
                f"{path}: {unknown!r} is no number of an occupation, 0 to {len(occupations) - 1}; unpack it again"
            )
        fields["occupation"] = tuple(name_of[number] for number in fields["occupation"])
    for age in fields["age"]:
        if not age.isdecimal() or len(age) > 3:
            raise DataError(f"{path}: {age!r} is no age in years; unpack the archive again")
    ids = texts(fields["id"], f"{path}: an id")
    if len(np.unique(ids)) < len(ids):
        raise DataError(f"{path}: an id stands in two rows; unpack the archive again")
    columns = {name: texts(fields[name], f"{path}: the {name}") for name in ("gender", "occupation", "zip")}
    return Entities(ids, {"age": np.array(list(map(float, fields["age"])), dtype=np.float32), **columns})


def _rows(path: Path, sep: str, width: int) -> Iterator[list[str]]:
    for line, fields in TextFile(path, sep, "latin-1").records():
        if len(fields) != width:
            raise DataError(f"{path}, line {line}: expected {width} fields, got {len(fields)}")
        yield fields


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
    rows = positions_of(users * len(whole.items.labels) + items, whole.pair_keys())
    strange = (users < 0) | (items < 0) | (rows < 0) | (whole.ratings[rows] != part.ratings)
    if strange.any():
        raise DataError(
            f"{part.file}, {part.place(int(np.argmax(strange)))}: this rating is not in {whole.file}; "
            "the two files belong to different versions of the data: download them again"
        )
    return rows
