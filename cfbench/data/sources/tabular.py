"""Reading ratings from a file of any supported format."""

from __future__ import annotations

from pathlib import Path

from cfbench.data.sources.columns import ColumnNames
from cfbench.data.sources.raw_ratings import RawRatings
from cfbench.errors import DataNotFoundError

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
