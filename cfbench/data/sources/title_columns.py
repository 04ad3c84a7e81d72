"""Titles, genres and years of films, as the MovieLens family of data sets writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Entities
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError

_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)")
_NO_GENRE = "(no genres listed)"


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
