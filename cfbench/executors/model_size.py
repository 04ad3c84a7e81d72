"""How large a model is on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cfbench.contracts import Saveable
from cfbench.errors import ModelError


def saved_bytes(model: Saveable, scratch: Path) -> int:
    """Let ``model`` save itself into a folder of its own below ``scratch``, for the moment; return the bytes it wrote.

    Raises ModelError where saving fails.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="saved-") as folder:
        try:
            model.save(Path(folder))
        except Exception as error:
            raise ModelError(f"{type(model).__name__}.save raised {type(error).__name__}: {error}") from error
        return sum(path.lstat().st_size for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
