"""Log of what a cell prints, bounded: its beginning and its end."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_HEAD, _TAIL = 4 << 20, 64 << 10  # bytes of a log


class PrintedLog:
    """A log file that takes the first 4 MiB and the last 64 KiB of what is written to it, while the disk has room."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending."""
        self._file = path.open("ab", buffering=0)
        self._room = _HEAD - self._file.tell()
        self._tail = b""
        self._left_out = 0

    def close(self) -> None:
        """Write the last of it, and close the file."""
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
