"""Confined paths: for writing, inside a folder which somebody else may have filled."""

from __future__ import annotations

from pathlib import Path

from cfbench.errors import StoreError


def confined(root: Path, *parts: str) -> Path:
    """Return ``root/parts...`` for writing.

    The last part may be a link: files are replaced there, not written through. Raises StoreError where a folder on the
    way is a link that leads out of ``root``: a results folder from elsewhere must not reach the rest of the disk.
    """
    place = root
    inside = root.resolve()
    for part in parts[:-1]:
        place /= part
        if place.is_symlink() and not place.resolve().is_relative_to(inside):
            raise StoreError(
                f"{place} is a link that leads out of {root}; nothing is written through it: remove it, or copy what "
                "it names"
            )
    return place / parts[-1]
