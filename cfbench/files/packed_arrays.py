"""Guarded reading of ``.npz`` files from elsewhere: sizes are checked before anything is allocated.

numpy's own reader believes what a header claims, so that a file of a few bytes can ask for gigabytes, and evaluates the
header as Python. This one accepts the form in which numpy writes arrays of numbers and text, and no other.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

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
            claimed = sum(member.file_size for member in members)
            if claimed > most:
                raise ValueError(f"its arrays claim {claimed:,} bytes, more than the {most:,} that they may have")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except MemoryError:
        raise ValueError("its arrays do not fit into memory") from None
    except (*_DAMAGED, RuntimeError, OverflowError) as error:  # NotImplementedError, of strange archives, is one
        raise ValueError(str(error) or type(error).__name__) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    name = repr(member.filename)
    if not member.filename.endswith(".npy"):
        raise ValueError(f"its member {name} is no array")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its member {name} is packed in a way that numpy does not use")
    with archive.open(member) as stream:
        start = stream.read(len(_MAGIC) + 2)
        form = _LENGTHS.get(start[len(_MAGIC) :])
        if not start.startswith(_MAGIC) or form is None:
            raise ValueError(f"its member {name} is no array")
        size = struct.calcsize(form)
        (length,) = struct.unpack(form, stream.read(size))
        header = _HEADER.fullmatch(stream.read(length) if length <= _LONGEST_HEADER else b"")
        if header is None:
            raise ValueError(f"its member {name} is no array of plain numbers or text")
        shape = tuple(int(part) for part in header["shape"].split(b",") if part.strip())
        dtype, count = np.dtype(header["type"].decode()), math.prod(shape)
        if not dtype.itemsize or count * dtype.itemsize != member.file_size - len(start) - size - length:
            raise ValueError(f"its member {name} is not as large as its header claims")
        flat: NDArray[Any] = np.empty(count, dtype=dtype)
        room, filled = flat.view(np.uint8), 0
        # Block by block to the end, where the archive's own checksum is compared.
        while block := stream.read(_BLOCK):
            room[filled : filled + len(block)] = np.frombuffer(block, dtype=np.uint8)
            filled += len(block)
        if filled < len(room):
            raise ValueError(f"its member {name} is torn")
    return flat.reshape(shape[::-1]).T if header["order"] == b"True" else flat.reshape(shape)
