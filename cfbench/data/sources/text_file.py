"""Delimited text files: opened plain or gzip, separators of two characters, line numbers for messages."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = ("::", "\t", ",", ";", "|", " ")
_DOUBLE = "::"
_MOST_CHARACTERS = 1 << 30  # of a column, 4 bytes each
_SURELY_FINE = 1_000  # characters of a field, of which 100 million would fit


@dataclass(frozen=True)
class TextFile:
    """A delimited text file and how its bytes are to be understood.

    Attributes:
        path: the file; gzip is recognised by its content.
        sep: what separates fields, one character or ``"::"``.
        encoding: of the text; must contain ASCII as it is (UTF-8, Latin-1, Windows code pages).
    """

    path: Path
    sep: str
    encoding: str = "utf-8"

    @classmethod
    def at(cls, path: Path, sep: str | None, encoding: str) -> TextFile:
        """Return ``path`` as a text file, its separator taken from the first non-blank line where ``sep`` is None.

        Raises DataNotFoundError where there is no file, DataError where it is empty or not text, and where
        ``encoding`` is unknown or writes the characters of ASCII otherwise than ASCII does.
        """
        sample = bytes(range(128))
        try:
            text = sample.decode(encoding, "replace")
            compatible = text.encode("ascii") == sample == text.encode(encoding, "replace")
        except (LookupError, ValueError):  # not every codec is one of texts, or can replace what it does not know
            compatible = False
        if not compatible:
            raise DataError(f"{path}: {encoding!r} is no known ASCII-compatible encoding; use utf-8, latin-1 or cp1252")
        if not path.is_file():
            fault = "is a folder" if path.is_dir() else "does not exist"
            raise DataNotFoundError(f"file {path} {fault}; give the path of a file")
        try:
            with _opened(path) as source:
                start = source.read(_BLOCK)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        if start.startswith(_WIDE_MARKS) or b"\x00" in start:
            raise DataError(f"{path} is not text in an ASCII-compatible encoding; save it as UTF-8")
        if not start.strip():
            raise DataError(f"{path} is empty; expected one row per line")
        line = start.lstrip(b"\r\n \t").partition(b"\n")[0]
        if sep is None:
            sep = next((known for known in _SEPARATORS if known.encode() in line), ",")
        elif sep != _DOUBLE and (len(sep) != 1 or not sep.isascii()):
            raise DataError(f"{path}: the separator must be one ASCII character or '::', got {sep!r}")
        return cls(path, sep, encoding)

    @property
    def field_sep(self) -> str:
        """The one-character separator that readers of ``stream`` must use."""
        return "\t" if self.sep == _DOUBLE else self.sep

    @property
    def quoting(self) -> Literal[0, 3]:
        """csv's quoting: quotes mean something in comma-like files, nothing in ``::`` and tab-separated ones."""
        return csv.QUOTE_NONE if self.field_sep == "\t" else csv.QUOTE_MINIMAL

    def stream(self, skip_first: bool = False, before: bytes = b"") -> io.BufferedReader:
        """Open the bytes, ``::`` replaced by a tab; ``before`` comes first, the first record may be left out."""
        source = _opened(self.path)
        if skip_first:
            while not source.readline().strip():
                pass
        return io.BufferedReader(_Rewritten(source, before, self.sep == _DOUBLE), _BLOCK)

    def parsed(self, stream: Any, width: int, **options: Any) -> pd.DataFrame:
        """Parse ``stream``, rows of up to ``width`` fields, by the C parser of pandas with further ``options``."""
        import pandas as pd  # noqa: PLC0415 - takes long, and headers need none

        # Fields go by their numbers.
        shape: dict[str, Any] = {"header": None, "names": range(width), "index_col": False, "engine": "c"}
        text = {"sep": self.field_sep, "quoting": self.quoting, "encoding": self.encoding, "keep_default_na": False}
        frame: pd.DataFrame = pd.read_csv(stream, **shape, **(text | options))
        return frame

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number from 1, fields) of every non-blank record. A Python loop: for messages and headers.

        Bytes that are no text appear as replacement characters.
        """
        with io.TextIOWrapper(self.stream(), self.encoding, errors="replace", newline="") as text:
            reader = csv.reader(text, delimiter=self.field_sep, quoting=self.quoting, skipinitialspace=self.sep != " ")
            try:
                for fields in reader:
                    if len(fields) > 1 or any(field.strip() for field in fields):
                        yield reader.line_num, fields
            except csv.Error as error:
                raise DataError(
                    f"{self.path}, line {reader.line_num}: {error}; is a quotation mark open, or the separator another?"
                ) from error
            except (OSError, EOFError, zlib.error) as error:
                raise DataError(f"{self.path} cannot be read to its end: {error}") from error

    def line_of(self, record: int) -> int:
        """Return the line, from 1, of the non-blank record number ``record``, counted from 0 with the header.

        Where the two parsers do not agree on what a line is, the number of the record stands in.
        """
        return next((line for at, (line, _) in enumerate(self.records()) if at == record), record + 1)

    def undecodable_line(self) -> int:
        """Return the first line, from 1, that is not valid text in ``encoding``; 0 where all are."""
        with self.stream() as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError:
                    return number
        return 0


class _Rewritten(io.RawIOBase):
    """Bytes of ``source`` after ``before``, with every ``::`` a tab, block by block."""

    def __init__(self, source: IO[bytes], before: bytes, narrow: bool) -> None:
        self._source, self._ready, self._narrow = source, before, narrow
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            block = self._source.read(_BLOCK)
            if not block and not self._held:
                return 0
            if self._narrow:
                joined = self._held + block
                # A colon at the very end may be half of a separator: it waits for the next block.
                self._held = b":" if block and joined.endswith(b":") and not joined.endswith(b"::") else b""
                block = joined[: len(joined) - len(self._held)].replace(b"::", b"\t")
            self._ready = block
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._source.close()
        super().close()


def _opened(path: Path) -> IO[bytes]:
    """Open ``path`` for reading bytes, unzipped, past a byte order mark."""
    with path.open("rb") as start:
        zipped = start.read(2) == _GZIP_MAGIC
    source = cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")  # noqa: SIM115 - the caller closes it
    if source.read(3) != _UTF8_MARK:
        source.seek(0)
    return source


def texts(values: Sequence[Any] | NDArray[Any], what: str) -> NDArray[np.str_]:
    """Return ``values`` as an array of text, shape (n,); raises DataError where one is so long that it cannot be had.

    ``what`` names a value in the message: ``"an id"``.
    """
    longest = max(map(len, values), default=0)
    if longest > _SURELY_FINE and longest * len(values) > _MOST_CHARACTERS:
        raise DataError(
            f"{what} has {longest:,} characters, and as many are set aside for each of {len(values):,}; is a quotation "
            "mark open? Else shorten it"
        )
    return np.asarray(values, dtype=np.str_)
