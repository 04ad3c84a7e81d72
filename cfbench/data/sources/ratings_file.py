"""A file of ratings as a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, get_args

from cfbench.data.dataset import Dataset, Origin
from cfbench.data.sources.cache import cached
from cfbench.data.sources.columns import ColumnNames
from cfbench.data.sources.entity_table import read_entities
from cfbench.data.sources.raw_ratings import Duplicates, RawRatings, assembled, validated
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError, DataNotFoundError
from cfbench.model.limits import require_choice
from cfbench.model.ratings import RatingScale

_SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".parquet", ".pq")
_PARQUET = (".parquet", ".pq")


def read_ratings(
    path: Path,
    *,
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
        from cfbench.data.sources.parquet import read_parquet  # noqa: PLC0415 - each format pays only for its own reader

        if not path.is_file():
            raise DataNotFoundError(f"ratings file {path} does not exist; give the path of a file")
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
        raw = read_ratings(
            self._file,
            sep=self.sep,
            encoding=self.encoding,
            header=self.header,
            named=ColumnNames(self.user_column, self.item_column, self.rating_column, self.timestamp_column),
            use_timestamps=self.use_timestamps,
        )
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
            self.name,
            raw,
            scale=scale,
            relevant_from=relevant_from,
            origin=self.origin,
            users=users,
            items=items,
        )
