"""What is known of users or items beside their ratings, from a table of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.dataset import Entities
from cfbench.errors import DataError, DataNotFoundError
from cfbench.sources.columns import ALIASES, normalised

_TITLES = ("title", "name")
_PARQUET = (".parquet", ".pq")


def read_entities(path: Path, role: str, encoding: str = "utf-8") -> Entities:
    """Read a table of entities with a header: one column of ids, further ones that describe.

    The ids are in the column that goes by a usual name of the ``role`` (``"user"`` or ``"item"``: ``userId``,
    ``movie_id`` ...), else in ``id``, else in the first. A column ``title`` or ``name`` names items in lists and
    pictures. A column in which everything said is a number is one of numbers; all else is text, several values joined
    by ``|``.

    Args:
        path: CSV, TSV (by its suffix) or Parquet.
        role: whose table it is.
        encoding: of the text.

    Raises:
        DataNotFoundError: there is no such file.
        DataError: it cannot be read as such a table, or an id stands in it twice.
    """
    if not path.is_file():
        raise DataNotFoundError(f"table of {role}s {path} does not exist; give the path of a file")
    columns = _columns(path, encoding)
    key = _id_column(list(columns), role)
    ids = columns.pop(key)
    distinct, counts = np.unique(ids, return_counts=True)
    if len(distinct) < len(ids):
        twice = str(distinct[counts > 1][0])
        raise DataError(f"{path}: {key} {twice!r} stands in {counts.max()} rows; give each {role} one row")
    titled = next((name for name in columns if normalised(name) in _TITLES), None)
    return Entities(ids, {"title" if name == titled else name: _typed(column) for name, column in columns.items()})


def _columns(path: Path, encoding: str) -> dict[str, NDArray[np.str_]]:
    """Read all columns as stripped text, what is missing as ``""``."""
    import pandas as pd  # noqa: PLC0415 - takes a quarter of a second to import

    try:
        if path.suffix.lower() in _PARQUET:
            frame = pd.read_parquet(path).astype("string").fillna("")
        else:
            sep = "\t" if ".tsv" in path.suffixes else ","
            frame = pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False, encoding=encoding)
    except (ValueError, OSError, ImportError) as error:  # pandas' own errors of parsing and decoding are ValueErrors
        raise DataError(f"{path} cannot be read as a table with a header: {error}") from error
    if not len(frame.columns) or not len(frame):
        raise DataError(f"{path} has no rows; expected a header that names the columns, then a row for each entity")
    return {str(name).strip(): np.char.strip(frame[name].to_numpy(dtype=np.str_)) for name in frame.columns}


def _id_column(names: list[str], role: str) -> str:
    wanted = (*ALIASES[role], "id")
    return next((name for alias in wanted for name in names if normalised(name) == alias), names[0])


def _typed(column: NDArray[np.str_]) -> NDArray[Any]:
    """Make numbers of a column in which everything said is one, and at least something is said."""
    said = column != ""
    try:
        numbers = np.where(said, column, "nan").astype(np.float64)
    except ValueError:
        return column
    return numbers.astype(np.float32) if said.any() and np.isfinite(numbers[said]).all() else column
