"""The distribution of models that executors are checked with: written where it is needed, installed nowhere."""

from __future__ import annotations

import atexit
import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

MODULE = "cfbench_executor_models"
_NAME, _VERSION = "cfbench-executor-models", "1.0"
_CLASSES = ("Learner", "Mean", "Echo", "Talker", "Reporter", "Vandal", "Dies", "Parent", "Sleeper", "Hoarder")


def models_for_executors(folder: Path) -> Path:
    """Write the models that the checks run into ``folder``, which is made where it is missing, and return it.

    The workers of an executor that starts no process on this machine need it on their ``PYTHONPATH``.
    """
    info = folder / f"{MODULE}-{_VERSION}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("executor_models.py").read_text(encoding="utf-8")
    (folder / f"{MODULE}.py").write_text(source, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n")
    names = [f"check-{name.lower()} = {MODULE}:{name}" for name in _CLASSES]
    (info / "entry_points.txt").write_text("\n".join(["[cfbench.models]", *names, ""]))
    return folder


@contextmanager
def installed_models() -> Iterator[None]:
    """Keep the models on the path of this process for a while."""
    folder = str(_folder())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)


@cache
def _folder() -> Path:
    """Return one folder for all checks of this process, which remembers where it has found a module."""
    folder = tempfile.TemporaryDirectory(prefix="cfbench-executor-models-")
    atexit.register(folder.cleanup)
    return models_for_executors(Path(folder.name))
