"""Files sent between machines: a list of names and sizes, a digest, and the contents in pieces of bounded size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

PIECE = 8 << 20
"""Bytes of the largest piece: small enough not to keep a scheduler or worker from answering others."""


@dataclass(frozen=True)
class FileTransfer:
    """The plain files of a folder, sent one after another as if they were one.

    Attributes:
        files: names relative to the folder, in order, and their bytes.
        digest: sha256 over names, sizes and contents.
    """

    files: tuple[tuple[str, int], ...]
    digest: str

    @classmethod
    def of(cls, root: Path) -> Self:
        """Describe all plain files below ``root``; links are left out."""
        found = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        files = tuple((path.relative_to(root).as_posix(), path.stat().st_size) for path in found)
        return cls(files, _digest(root, files))

    @classmethod
    def from_json(cls, facts: Any) -> Self:
        """Read what :meth:`to_json` gave elsewhere; raises ValueError where it is anything else."""
        try:
            files = tuple((str(name), int(size)) for name, size in facts["files"])
            digest = str(facts["digest"])
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"no list of files: {error}") from error
        paths = [PurePosixPath(name) for name, _ in files]
        inside = all(
            path.parts and not path.is_absolute() and ".." not in path.parts and "\0" not in str(path) and size >= 0
            for path, (_, size) in zip(paths, files, strict=True)
        )
        # A name must not be there twice, nor be a file and a folder at once.
        distinct = len(set(paths)) == len(paths) and not {parent for path in paths for parent in path.parents} & {
            *paths
        }
        if not (inside and distinct):
            raise ValueError("a list of files that cannot lie in one folder")
        return cls(files, digest)

    def to_json(self) -> Mapping[str, Any]:
        """Return the description as JSON values."""
        return {"files": self.files, "digest": self.digest}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)

    def read(self, root: Path, position: int) -> bytes:
        """Read at most :data:`PIECE` bytes of the files below ``root``, from ``position`` on."""
        parts = []
        for name, begin, size in self._spans(position, PIECE):
            with (root / name).open("rb") as file:
                file.seek(begin)
                parts.append(file.read(size))
        return b"".join(parts)

    def create(self, root: Path) -> None:
        """Make the files below ``root``, empty."""
        for name, _ in self.files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()

    def write(self, root: Path, position: int, piece: bytes) -> None:
        """Write a piece, as :meth:`read` gave it, into files that :meth:`create` made."""
        rest = memoryview(piece)
        for name, begin, size in self._spans(position, len(piece)):
            with (root / name).open("r+b") as file:
                file.seek(begin)
                file.write(rest[:size])
            rest = rest[size:]

    def intact(self, root: Path) -> bool:
        """Whether the files below ``root`` are those that were described."""
        return _digest(root, self.files) == self.digest

    def _spans(self, position: int, size: int) -> Iterator[tuple[str, int, int]]:
        """Yield file, offset and bytes of the parts that make up ``size`` bytes from ``position`` on."""
        end, begun = position + size, 0
        for name, length in self.files:
            first, last = max(position, begun), min(end, begun + length)
            if first < last:
                yield name, first - begun, last - first
            begun += length


def _digest(root: Path, files: tuple[tuple[str, int], ...]) -> str:
    digest = hashlib.sha256(json.dumps(files).encode())
    for name, _ in files:
        with (root / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
