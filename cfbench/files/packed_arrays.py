"""Reading ``.npz`` files that somebody else may have put there: sizes are checked before anything is allocated.

numpy's own reader believes what a header claims, so that a file of a few bytes can ask for gigabytes, and evaluates the
header as Python. This one takes the one form in which numpy writes arrays of numbers and text.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY"
_LENGTHS = {b"\x01\x00": "<H", b"\x02\x00": "<I"}  # of the header, by version of the format
_LONGEST_HEADER = 10_000
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|=][?biufcSUmM]\d{0,6}(?:\[\w{1,8}\])?)', "
    rb"'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[\d, ]*)\), \} *\n"
)
_BLOCK = 1 << 20
_DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, struct.error, zlib.error, zipfile.BadZipFile)


def read_arrays(path: Path, most: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that ``np.savez`` or ``np.savez_compressed`` wrote, by name.

    Args:
        path: a file.
        most: bytes that all arrays together may take in memory.

    Raises ValueError, which says what is wrong, for a damaged file, Python objects, structured types, and for arrays
    that are larger than ``most`` or not as large as they claim to be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len({member.filename for member in members}) < len(members):
                raise ValueError("it holds two arrays of one name")
            _require_room(members, most)
            return {_name(member): _array(archive, member) for member in members}
    except MemoryError:
        raise ValueError("its arrays do not fit into memory") from None
    except (*_DAMAGED, RuntimeError, OverflowError) as error:  # NotImplementedError, of strange archives, is one
        raise ValueError(str(error) or type(error).__name__) from error


def _require_room(members: list[zipfile.ZipInfo], most: int) -> None:
    claimed = sum(member.file_size for member in members)
    if claimed > most:
        raise ValueError(f"its arrays claim {claimed:,} bytes, more than the {most:,} that they may have")


def _name(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise ValueError(f"its member {member.filename!r} is no array")
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its member {member.filename!r} is packed in a way that numpy does not use")
    with archive.open(member) as stream:
        dtype, fortran, shape, begun = _header(stream, member.filename)
        count = math.prod(shape)
        if dtype.itemsize == 0 or count * dtype.itemsize != member.file_size - begun:
            raise ValueError(f"its member {member.filename!r} is not as large as its header claims")
        flat = np.empty(count, dtype=dtype)
        _fill(flat, stream, member.filename)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(stream: IO[bytes], name: str) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Read type, order and shape; return how many bytes that took too."""
    start = stream.read(len(_MAGIC) + 2)
    form = _LENGTHS.get(start[len(_MAGIC) :])
    if not start.startswith(_MAGIC) or form is None:
        raise ValueError(f"its member {name!r} is no array")
    size = struct.calcsize(form)
    (length,) = struct.unpack(form, stream.read(size))
    text = stream.read(length) if length <= _LONGEST_HEADER else b""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError(f"its member {name!r} is no array of plain numbers or text")
    shape = tuple(int(part) for part in found["shape"].split(b",") if part.strip())
    return np.dtype(found["type"].decode()), found["order"] == b"True", shape, len(start) + size + length


def _fill(flat: NDArray[Any], stream: IO[bytes], name: str) -> None:
    """Read block by block, to the end, where the archive's own checksum is compared."""
    room, filled = flat.view(np.uint8), 0
    while block := stream.read(_BLOCK):
        room[filled : filled + len(block)] = np.frombuffer(block, dtype=np.uint8)
        filled += len(block)
    if filled < len(room):
        raise ValueError(f"its member {name!r} is torn")
