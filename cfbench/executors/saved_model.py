"""A fitted model written to disk by itself, to be measured and, where it is asked for, kept."""

from __future__ import annotations

from pathlib import Path

from cfbench.contracts import Saveable
from cfbench.errors import ModelError


def save_model(model: Saveable, folder: Path) -> int:
    """Let ``model`` save itself into ``folder``, which is made; return the bytes it wrote.

    Raises ModelError where saving fails, or leaves something else than plain files.
    """
    folder.mkdir()
    try:
        model.save(folder)
    except Exception as error:
        raise ModelError(f"{type(model).__name__}.save raised {type(error).__name__}: {error}") from error
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    strange = next((path for path in files if path.is_symlink() or not path.is_file()), None)
    if strange is not None:
        raise ModelError(f"{type(model).__name__}.save wrote {strange.name}, which is no plain file")
    return sum(path.stat().st_size for path in files)
