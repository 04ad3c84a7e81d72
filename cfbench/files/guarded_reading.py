"""Guarded reading of files that others may have made or changed: whole files, JSON, arrays.

**Files**: no device, no pipe, and a limit on the size. **JSON**: without what Python's reader accepts beyond the
standard. **Arrays**, ``.npz``: sizes are checked before anything is allocated. numpy's own reader believes what a
header claims, so that a file of a few bytes can ask for gigabytes, and evaluates the header as Python. This one accepts
the form in which numpy writes arrays of numbers and text, and no other.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

MEBIBYTE = 1 << 20
LARGEST_MODEL = 16_384 * MEBIBYTE
"""Bytes that the files of a saved model may have together."""

LONGEST_HEADER = 10_000
"""Bytes that describe an array in its file, at most."""

Require: TypeAlias = Callable[[str, np.dtype[Any], tuple[int, ...]], None]

_DEEPEST = 30  # lists and objects inside one another, of which ours are 8 deep; folders of a saved model
_MOST_FILES = 10_000
_LARGEST = 2**63 - 1
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_MAGIC = b"\x93NUMPY"
_LENGTHS = {b"\x01\x00": 2, b"\x02\x00": 4}  # bytes of the header's length, by version of the format
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|=][?biufcSUmM]\d{0,6}(?:\[\w{1,8}\])?)', "
    rb"'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[\d, ]*)\), \} *\n"
)
_BLOCK = 1 << 20
_DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, zlib.error, zipfile.BadZipFile)


def require_plain(path: Path, most: int) -> None:
    """Raise OSError, with ``strerror`` for readers, unless ``path`` is a regular file of at most ``most`` bytes.

    A link is followed to what it names; a device or a pipe could be read for ever.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    if found.st_size > most:
        raise _too_large(path, most)


def open_plain(path: str | Path, folder: int | None = None) -> BinaryIO:
    """Open a regular file for reading, below the open ``folder`` where one is given; raises OSError for anything else.

    No link is followed, and no pipe is waited for.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path} is no plain file")
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes; raises OSError, with ``strerror``, for others."""
    require_plain(path, most)
    with path.open("rb") as file:
        data = file.read(most + 1)  # what is no file on a disk may hold more than its size says
    if len(data) > most:
        raise _too_large(path, most)
    return data


def plain_files(folder: Path) -> list[Path]:
    """Return the files that a model has saved below ``folder``; none of them is opened.

    Raises ValueError where something is neither file nor folder, or for more than any saved model has, and OSError.
    """
    found, waiting, size = list[Path](), [folder], 0
    while waiting:
        path = waiting.pop()
        state = path.lstat()
        if stat.S_ISREG(state.st_mode):
            found.append(path)
            size += state.st_size
        elif stat.S_ISDIR(state.st_mode):
            waiting += path.iterdir()
        else:
            raise ValueError(f"{path} is no plain file; a saved model has nothing else")
        if len(found) + len(waiting) > _MOST_FILES or len(path.parts) - len(folder.parts) > _DEEPEST:
            raise ValueError(f"{folder} holds more than {_MOST_FILES:,} files, or folders {_DEEPEST} deep")
    if size > LARGEST_MODEL:
        raise ValueError(f"{folder} has {size // MEBIBYTE:,} MiB, more than {LARGEST_MODEL // MEBIBYTE:,}")
    return found


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most / MEBIBYTE:,.0f} MiB", str(path))


def parse_json(text: str | bytes) -> Any:
    """Return what ``text``, in UTF-8 where it is bytes, says.

    Raises ValueError for anything but JSON as its standard has it, each name of an object once; for whole numbers
    beyond 64 bits, floats beyond their range, NaN, halves of characters, and nesting deeper than 30: they would be
    read, and fail far from here.
    """
    try:
        content = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            content, object_pairs_hook=_object, parse_constant=_float, parse_float=_float, parse_int=_whole
        )
        require_shallow(value)
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()  # a half without its other half cannot be encoded
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character") from None
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _float(text: str) -> float:
    if text in ("NaN", "Infinity", "-Infinity"):
        raise ValueError(f"{text} is no JSON")
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{_begun(text)} is beyond what a float can hold")
    return value


def _whole(text: str) -> int:
    value = int(text) if len(text) <= len(str(_LARGEST)) + 1 else _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError(f"{_begun(text)} has more than 64 bits")
    return value


def _begun(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:30]}..."


def require_shallow(value: Any) -> None:
    """Raise ValueError where lists and objects stand in one another more than 30 deep."""
    level = [value]
    for _ in range(_DEEPEST + 1):
        inside = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [part for parts in inside for part in parts]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def read_arrays(file: Path | IO[bytes], most: int, require: Require = lambda *_: None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that ``np.savez`` or ``np.savez_compressed`` wrote, by name.

    Args:
        file: the file, or its path.
        most: bytes that all arrays together may take in memory.
        require: called with name, type and shape of every array before it is read; raises ValueError to refuse it.

    Raises ValueError, which says what is wrong, for a damaged file, Python objects, structured types, and for arrays
    that are larger than ``most`` or not as large as they claim to be.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len({member.filename for member in members}) < len(members):
                raise ValueError("it holds two arrays of one name")
            claimed = sum(member.file_size for member in members)
            if claimed > most:
                raise ValueError(f"its arrays claim {claimed:,} bytes, more than the {most:,} that they may have")
            return {member.filename.removesuffix(".npy"): _array(archive, member, require) for member in members}
    except MemoryError:
        raise ValueError("its arrays do not fit into memory") from None
    except (*_DAMAGED, RuntimeError, OverflowError) as error:  # NotImplementedError, of strange archives, is one
        raise ValueError(str(error) or type(error).__name__) from error


@dataclass(frozen=True)
class ArrayHeader:
    """Header of an ``.npy`` file.

    Attributes:
        dtype: the type of its numbers or texts.
        shape: its shape.
        fortran_order: whether its first axis varies fastest.
        length: bytes before the data.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    length: int

    @classmethod
    def read(cls, stream: IO[bytes], name: str) -> Self:
        """Read the header from the start of a file called ``name``; raises ValueError where there is none of ours."""
        start = stream.read(len(_MAGIC) + 2)
        size = _LENGTHS.get(start[len(_MAGIC) :])
        if not start.startswith(_MAGIC) or size is None:
            raise ValueError(f"{name} is no array")
        length = int.from_bytes(stream.read(size), "little")
        header = _HEADER.fullmatch(stream.read(length) if length <= LONGEST_HEADER else b"")
        if header is None:
            raise ValueError(f"{name} is no array of plain numbers or text")
        shape = tuple(int(part) for part in header["shape"].split(b",") if part.strip())
        dtype = np.dtype(header["type"].decode())
        return cls(dtype, shape, header["order"] == b"True", len(start) + size + length)

    def require_bytes(self, found: int, name: str) -> None:
        """Raise ValueError unless a file of ``found`` bytes holds what this header claims, and no more."""
        if not self.dtype.itemsize or math.prod(self.shape) * self.dtype.itemsize != found - self.length:
            raise ValueError(f"{name} is not as large as its header claims")

    def arranged(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Return the data in the header's shape."""
        return flat.reshape(self.shape[::-1]).T if self.fortran_order else flat.reshape(self.shape)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, require: Require) -> NDArray[Any]:
    name = repr(member.filename)
    if not member.filename.endswith(".npy"):
        raise ValueError(f"its member {name} is no array")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its member {name} is packed in a way that numpy does not use")
    with archive.open(member) as stream:
        header = ArrayHeader.read(stream, f"its member {name}")
        header.require_bytes(member.file_size, f"its member {name}")
        require(member.filename.removesuffix(".npy"), header.dtype, header.shape)
        flat: NDArray[Any] = np.empty(math.prod(header.shape), dtype=header.dtype)
        room, filled = flat.view(np.uint8), 0
        # Block by block to the end, where the archive's own checksum is compared.
        while block := stream.read(_BLOCK):
            room[filled : filled + len(block)] = np.frombuffer(block, dtype=np.uint8)
            filled += len(block)
        if filled < len(room):
            raise ValueError(f"its member {name} is torn")
    return header.arranged(flat)
