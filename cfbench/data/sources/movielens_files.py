"""Files of MovieLens beside the ratings: users, films and their titles, published folds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Entities, PublishedFold
from cfbench.data.sources.assembly import described, positions_of
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings
from cfbench.data.sources.tabular import read_ratings
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError

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


def read_titles(path: Path, *, sep: str = "::", encoding: str = "utf-8", header: bool = False) -> Entities:
    """Read a file of (item id, title, genres joined by ``|``) into a table of items.

    Raises DataError that names the line where a row has other than three fields.
    """
    ids, titles, genres = [], [], []
    for at, (line, fields) in enumerate(TextFile(path, sep, encoding).records()):
        if header and at == 0:
            continue
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


def users_100k(path: Path) -> Entities | None:
    """Read ``u.user``: id, age, gender, occupation, zip code; None where there is no such file."""
    return _users(path, "|", ("id", "age", "gender", "occupation", "zip"), {})


def users_1m(path: Path) -> Entities | None:
    """Read ``users.dat``: id, gender, age bracket, number of the occupation, zip code; None without the file."""
    occupations = {str(number): name for number, name in enumerate(_ML_1M_OCCUPATIONS)}
    return _users(path, "::", ("id", "gender", "age", "occupation", "zip"), occupations)


def films_100k(path: Path) -> Entities | None:
    """Read ``u.item``: id, title, three fields not used here, and one 0 or 1 per genre; None without the file."""
    if not path.is_file():
        return None
    rows = list(_rows(path, "|", 5 + len(_ML_100K_GENRES)))
    genres = [
        "|".join(genre for genre, has in zip(_ML_100K_GENRES, row[5:], strict=True) if has == "1") for row in rows
    ]
    return films([row[0] for row in rows], [row[1] for row in rows], genres)


def by_title(items: IdColumn, table: Entities) -> tuple[IdColumn, Entities]:
    """Merge items of one title; columns are those of the first of them in ``table``."""
    titles, first = np.unique(table.columns["title"], return_index=True)
    own_title = described(items.labels, table).columns["title"]
    labels, merged = np.unique(own_title, return_inverse=True)
    columns = {name: column[first] for name, column in table.columns.items()}
    return IdColumn(labels, merged.astype(np.int32)[items.index]), Entities(titles, columns)


def _users(path: Path, sep: str, layout: tuple[str, ...], occupations: Mapping[str, str]) -> Entities | None:
    """Read a file of users whose fields are as in ``layout``; occupations may be keys of ``occupations``."""
    if not path.is_file():
        return None
    rows = list(_rows(path, sep, len(layout)))
    if not rows:
        raise DataError(f"{path} is empty; unpack the archive again")
    fields = dict(zip(layout, zip(*rows, strict=True), strict=True))
    if occupations:
        unknown = next((number for number in fields["occupation"] if number not in occupations), None)
        if unknown is not None:
            raise DataError(
                f"{path}: {unknown!r} is no number of an occupation, 0 to {len(occupations) - 1}; unpack it again"
            )
        fields["occupation"] = tuple(occupations[number] for number in fields["occupation"])
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
