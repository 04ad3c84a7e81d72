"""Users and films of MovieLens, from the files beside the ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cfbench.data.dataset import Entities
from cfbench.data.sources.assembly import described
from cfbench.data.sources.raw_ratings import IdColumn
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.data.sources.title_columns import films
from cfbench.errors import DataError

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
