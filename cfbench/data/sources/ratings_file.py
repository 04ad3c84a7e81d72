"""Files of the user's own as a data set: ratings, and tables of users and items."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.sources.cache import cached
from cfbench.data.sources.columns import ALIASES, ColumnNames, normalised
from cfbench.data.sources.raw_ratings import Duplicates, RawRatings, assembled, validated
from cfbench.data.sources.source import Storage
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError, DataNotFoundError
from cfbench.model.limits import require_choice
from cfbench.model.ratings import RatingScale

_SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".parquet", ".pq")
_PARQUET = (".parquet", ".pq")
_TITLES = ("title", "name")
_Table: TypeAlias = list[tuple[str, NDArray[Any]]]  # names of columns with their fields, as Python's texts
_UNREADABLE = (ValueError, OSError, EOFError, zlib.error, ImportError)  # pandas' own errors are ValueErrors


def read_ratings(
    path: Path,
    sep: str | None = None,
    encoding: str = "utf-8",
    header: bool | None = None,
    named: ColumnNames | None = None,
    use_timestamps: bool = True,
) -> RawRatings:
    """Read the ratings of ``path``: Parquet by its suffix, otherwise delimited text, gzip or not.

    Text is CSV, TSV, ``::``-separated or a RecBole ``.inter`` file; see ``read_delimited`` for the arguments,
    of which Parquet knows only ``named``. ``use_timestamps=False`` leaves the times unread. Raises
    DataNotFoundError or DataError with file, line and remedy.
    """
    named = named or ColumnNames()
    if path.suffix.lower() in _PARQUET:
        if not path.is_file():
            raise DataNotFoundError(f"ratings file {path} does not exist; give the path of a file")
        try:
            from cfbench.data.sources.parquet import read_parquet  # noqa: PLC0415 - each format pays for its own reader
        except ImportError as error:
            raise DataError(f"{path}: reading Parquet needs pyarrow; run: pip install 'cfbench[parquet]'") from error
        return read_parquet(path, named, use_timestamps)
    from cfbench.data.sources.csv import read_delimited  # noqa: PLC0415

    return read_delimited(path, sep, encoding, header, named, use_timestamps)


@dataclass(frozen=True)
class RatingsFile:
    """Ratings from a CSV, TSV, ``::``-separated, RecBole ``.inter`` or Parquet file, gzip or not.

    Columns are found by common names (``userId``, ``item_id``, ``rating``, ``time`` ...), without a header by
    position: user, item, rating, time.

    Attributes:
        path: the file; ``~`` is expanded.
        sep: the field separator; by default ``::``, tab, ``,``, ``;``, ``|`` or blank, the first found.
        scale_low: the lowest possible rating; by default the lowest seen.
        scale_high: the highest possible rating; by default the highest seen.
        relevant_from: the rating from which an item counts as relevant; by default low + 0.75 (high - low),
            which is 4 on a scale of 1 to 5.
        duplicates: what becomes of repeated (user, item) pairs: ``error``, ``first``, ``last``, ``mean`` or
            ``keep``.
        encoding: of the text.
        header: whether the first row names the columns; by default judged by its looks.
        user_column: name of the column of users.
        item_column: name of the column of items.
        rating_column: name of the column of ratings.
        timestamp_column: name of the column of times, in seconds since 1970.
        use_timestamps: False leaves the times out.
        items: a table of items with a header (CSV, TSV, Parquet): ids, titles and whatever else is known of them.
        users: a table of users likewise.
    """

    path: str
    sep: str | None = None
    scale_low: float | None = None
    scale_high: float | None = None
    relevant_from: float | None = None
    duplicates: Duplicates = "error"
    encoding: str = "utf-8"
    header: bool | None = None
    user_column: str | None = None
    item_column: str | None = None
    rating_column: str | None = None
    timestamp_column: str | None = None
    use_timestamps: bool = True
    items: str | None = None
    users: str | None = None

    origin: ClassVar[Origin] = Origin(licence="the file's own terms", citation="")

    def __post_init__(self) -> None:
        require_choice(self, get_args(Duplicates), "duplicates")
        if self.scale_low is not None and self.scale_high is not None and not self.scale_low < self.scale_high:
            raise ValueError(f"scale_low={self.scale_low}: expected less than scale_high={self.scale_high}")

    @property
    def name(self) -> str:
        """The file's name without the suffixes that say its format."""
        name = self._file.name
        while Path(name).suffix.lower() in _SUFFIXES:
            name = Path(name).stem
        return name

    def load(self, storage: Storage) -> Dataset:
        """Read and check the file, or take it from the cache where the file is unchanged."""
        tables = [Path(table).expanduser() for table in (self.items, self.users) if table is not None]
        return cached(self, storage, [self._file, *tables], self._read)

    def whereabouts(self, storage: Storage) -> str:  # noqa: ARG002 - part of the contract
        """Return the file's path, and whether it is missing."""
        return str(self._file) if self._file.exists() else f"{self._file} (missing)"

    @property
    def _file(self) -> Path:
        return Path(self.path).expanduser()

    def _read(self) -> Dataset:
        named = ColumnNames(self.user_column, self.item_column, self.rating_column, self.timestamp_column)
        raw = read_ratings(self._file, self.sep, self.encoding, self.header, named, self.use_timestamps)
        low, high = self.scale_low, self.scale_high
        # Open at an end that is not declared.
        declared = RatingScale(-math.inf if low is None else float(low), math.inf if high is None else float(high))
        raw = validated(raw, declared, self.duplicates)
        lowest, highest = map(float, raw.extremes)
        low, high = lowest if low is None else float(low), highest if high is None else float(high)
        if not low < high:
            raise DataError(
                f"{raw.file}: the rating scale would be {low:g} to {high:g}; declare it: scale_low=..., scale_high=..."
            )
        scale = RatingScale(low, high)
        relevant_from = scale.low + 0.75 * scale.width if self.relevant_from is None else float(self.relevant_from)
        users, items = (
            None if table is None else read_entities(Path(table).expanduser(), role, self.encoding)
            for table, role in ((self.users, "user"), (self.items, "item"))
        )
        return assembled(
            self.name, raw, scale=scale, relevant_from=relevant_from, origin=self.origin, users=users, items=items
        )


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
    key = next((name for alias in (*ALIASES[role], "id") for name in names if normalised(name) == alias), names[0])
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
