"""Log of what a cell prints, kept up to a bound, so that no model fills the disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Self

_HEAD, _TAIL = 4 << 20, 64 << 10
_LINES, _CHARACTERS = 20, 2000


class PrintedLog:
    """A log file that takes the first 4 MiB and the last 64 KiB of what is written to it, while the disk has room."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending."""
        self._file = path.open("ab", buffering=0)
        self._room = _HEAD - self._file.tell()
        self._tail = b""
        self._left_out = 0

    def __enter__(self) -> Self:
        """Nothing more to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write the last of it."""
        if self._left_out:
            self._put(f"\n[... {self._left_out} bytes are left out here ...]\n".encode())
        self._put(self._tail)
        self._file.close()

    def write(self, data: bytes) -> None:
        """Take printed bytes; they are in the file at once while there is room."""
        head, rest = data[: max(0, self._room)], data[max(0, self._room) :]
        self._room -= len(head)
        self._put(head)
        rest = self._tail + rest
        self._tail = rest[-_TAIL:]
        self._left_out += len(rest) - len(self._tail)

    def _put(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk costs the log, not the cell
            self._file.write(data)


def tail_of(log: Path) -> str:
    """Return the last lines of a log, bounded; an empty text where there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4 * _CHARACTERS))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_LINES:])[-_CHARACTERS:].strip()
