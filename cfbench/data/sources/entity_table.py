"""Tables of users or items, with titles and features, in files of the user's own."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Entities
from cfbench.data.sources.columns import ALIASES, normalised
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError, DataNotFoundError

_TITLES = ("title", "name")
_PARQUET = (".parquet", ".pq")
_Table: TypeAlias = list[tuple[str, NDArray[Any]]]  # names of columns with their fields, as Python's texts
_UNREADABLE = (ValueError, OSError, EOFError, zlib.error, ImportError)  # pandas' own errors are ValueErrors


def read_entities(path: Path, role: str, encoding: str = "utf-8") -> Entities:
    """Read a table of entities with a header: one column of ids, further ones that describe.

    The ids are in the column that goes by a usual name of the ``role`` (``"user"`` or ``"item"``: ``userId``,
    ``movie_id`` ...), else in ``id``, else in the first. A column ``title`` or ``name`` names items in lists and
    plots. A column whose fields are numbers or empty is numeric; all else is text, several values joined
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
    try:
        table = _parquet(path) if path.suffix.lower() in _PARQUET else _delimited(path, encoding)
    except _UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a table with a header: {error}") from error
    if not table or not len(table[0][1]):
        raise DataError(f"{path} has no rows; expected a header that names the columns, then a row for each entity")
    names = [name for name, _ in table]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns {twice!r}; give each a name of its own")
    # All columns as stripped text, what is missing as "".
    columns = {name: np.char.strip(texts(column, f"{path}: a field in column {name!r}")) for name, column in table}
    aliases = (*ALIASES[role], "id")
    key = next((name for alias in aliases for name in names if normalised(name) == alias), names[0])
    ids = columns.pop(key)
    distinct, counts = np.unique(ids, return_counts=True)
    if len(distinct) < len(ids):
        repeated = str(distinct[counts > 1][0])
        raise DataError(f"{path}: {key} {repeated!r} stands in {counts.max()} rows; give each {role} one row")
    title = next((name for name in columns if normalised(name) in _TITLES), None)
    return Entities(ids, {"title" if name == title else name: _typed(column) for name, column in columns.items()})


def _delimited(path: Path, encoding: str) -> _Table:
    """Read a CSV or TSV file, gzip or not."""
    text = TextFile.at(path, "\t" if ".tsv" in path.suffixes else ",", encoding)
    _, header = next(text.records(), (0, []))
    with text.stream() as stream:
        frame = text.parsed(stream, len(header), dtype=str, na_filter=False)
    rows = frame.iloc[1:]  # the header was read as a row too: pandas refuses rows that are longer than the first
    return [(name.strip(), rows[place].to_numpy(dtype=object)) for place, name in enumerate(header)]


def _parquet(path: Path) -> _Table:
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415 - an optional package, needed for this format alone

    try:
        frame = pd.read_parquet(path).astype("string").fillna("")
        columns = [frame.iloc[:, place].to_numpy(dtype=object) for place in range(len(frame.columns))]
    except (pa.ArrowException, TypeError, NotImplementedError, OverflowError, MemoryError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return [(str(name).strip(), column) for name, column in zip(frame.columns, columns, strict=True)]


def _typed(column: NDArray[np.str_]) -> NDArray[Any]:
    """Return numbers where every field that is not empty is one, and at least one is not empty."""
    filled = column != ""
    try:
        with np.errstate(over="ignore"):
            numbers = np.where(filled, column, "nan").astype(np.float64).astype(np.float32)
    except ValueError:
        return column
    return numbers if filled.any() and np.isfinite(numbers[filled]).all() else column
