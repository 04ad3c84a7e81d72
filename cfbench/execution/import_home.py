"""Home of a distribution's imports: they write to a copy of the persistent one, and afterwards nobody writes to it.

What a fork server may write to, cells that escape confinement may write to as well, for good: the kernel's rule is one
of a folder, whatever lies there. Hence the home lies in one folder while the import writes to it. It is moved to
another when cells are going to be forked, and the first one is removed. Only now, before any cell has seen a rating,
the persistent home is replaced by what the import has made of it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from cfbench.execution.sandbox import copy_home
from cfbench.files.locks import owned_folder, remove_folder

_MOST_FILES, _MOST_BYTES = 100_000, 4 << 30  # of what is kept for later runs


class ImportHome:
    """Home of the imports of one watchdog.

    Attributes:
        path: what cells get a copy of.
        imported: where the home of the present import lies when it is done.
    """

    def __init__(self, place: Path, persistent: Path) -> None:
        """Begin with the persistent home; ``place`` is a folder for copies of it."""
        self._persistent, self._importing, self._moves = persistent, place / "importing", 0
        self.path, self.imported = persistent, place / "imported" / "0"
        self.imported.parent.mkdir()
        self._before: dict[str, tuple[object, ...]] | None = None
        self._made: os.stat_result | None = None

    @property
    def is_lent(self) -> bool:
        """Whether there is a folder that an import could write to."""
        return os.path.lexists(self._importing)

    def lend(self) -> Path:
        """Return a copy for an import to write to, in a folder that goes when it is done."""
        home = self._importing / "home"
        self._importing.mkdir()
        copy_home(self.path, home)
        self._before, self._made = _content(home), home.lstat()
        return home

    def take_back(self, *, keep: bool) -> None:
        """End the writing to the copy; where it is kept, cells and later runs get what was made of it."""
        if not self.is_lent:
            return
        home = self._importing / "home"
        with suppress(OSError):
            # A link in its place would lead those who copy it to where no cell may read.
            if keep and self._made is not None and os.path.samestat(self._made, home.lstat()):
                home.rename(self.imported)
                self._moves += 1
                self.path, self.imported = self.imported, self.imported.with_name(str(self._moves))
        remove_folder(self._importing)
        if keep and (content := _content(self.path)) is not None and content != self._before:
            self._persist()

    def _persist(self) -> None:
        """Put a copy in the place of the persistent home; another run may do the same at the same time."""
        folder = self._persistent.parent
        with suppress(OSError), owned_folder(folder, f".{self._persistent.name}-", ("new", "old")) as beside:
            copy_home(self.path, beside / "new")
            self._persistent.rename(beside / "old")
            (beside / "new").rename(self._persistent)


def _content(home: Path) -> dict[str, tuple[object, ...]] | None:
    """Return what tells whether the files in a home were changed; None where they are too many or too large."""
    found, size = dict[str, tuple[object, ...]](), 0
    for folder, _, names in os.walk(home):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - many
            with suppress(OSError):
                facts = os.lstat(path)
                size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
                found[path.removeprefix(str(home))] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if size > _MOST_BYTES or len(found) > _MOST_FILES:
            return None
    return found
