"""Script: run the command line with its arguments and print the files of cfbench that saw the first RMSE measured.

A file saw it where one of its functions was called with the number or returned it, as a number, as text, as sums of
which it is the value, or inside of something that holds it; and where the class of what holds it is defined.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cfbench
from cfbench import cli
from cfbench.evaluation.metrics.accuracy import RMSE
from cfbench.evaluation.statistics.bootstrap import PerUser

ROOT = Path(cfbench.__file__).parent
DEEPEST = 8
MOST_ELEMENTS = 2_000
"""Elements of one collection that are searched: all that a small run has, and no array."""


class Tracer:
    """A profile function that notes where the number is, from the moment that it is measured."""

    def __init__(self) -> None:
        self.value: float | None = None
        self.text = ""
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, returned: Any) -> None:
        """Look at the arguments of a function of cfbench that is called, and at what one returns or yields."""
        name = frame.f_code.co_filename
        if not name.startswith(str(ROOT)) or event not in ("call", "return"):
            return
        if self.value is None and event == "return" and isinstance(returned, PerUser) and _called_by_rmse(frame):
            self.value = returned.value
            self.text = f"{self.value:.4f}"
        # Of a file that is known to have seen it, only a new class can be news.
        if self.value is None or (name in self.files and (event == "call" or _file_of(returned) in self.files)):
            return
        things = [returned] if event == "return" else list(frame.f_locals.values())
        if any(self.holds(thing, set()) for thing in things):
            self.files.add(name)

    def holds(self, thing: Any, seen: set[int], depth: int = 0) -> bool:
        """Whether the number can be read from ``thing``; the classes of cfbench on the way to it are noted."""
        if isinstance(thing, float):
            return thing == self.value
        if isinstance(thing, str):
            return self.text in thing
        if depth > DEEPEST or id(thing) in seen:
            return False
        seen.add(id(thing))
        if isinstance(thing, PerUser):
            found = thing.value == self.value
        elif isinstance(thing, Future):
            found = thing.done() and self.holds(thing.result(), seen, depth + 1)
        else:
            holding = [self.holds(part, seen, depth + 1) for part in _parts(thing)]  # all, for their classes
            found = any(holding)
        if found and _file_of(thing).startswith(str(ROOT)):
            self.files.add(_file_of(thing))
        return found


def _file_of(thing: Any) -> str:
    """Return the file that the class of ``thing`` is defined in."""
    return str(getattr(sys.modules.get(type(thing).__module__), "__file__", None))


def _called_by_rmse(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not RMSE.measure.__code__:
        frame = frame.f_back
    return frame is not None


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, Mapping | list | tuple | set):
        parts = thing.values() if isinstance(thing, Mapping) else thing
        return list(parts)[:MOST_ELEMENTS]
    if is_dataclass(thing) and not isinstance(thing, type):
        return [getattr(thing, one.name, None) for one in fields(thing)]
    return []


if __name__ == "__main__":
    tracer = Tracer()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        cli.main(sys.argv[1:])
    finally:
        sys.setprofile(None)
        files = sorted(str(Path(name).relative_to(ROOT.parent)) for name in tracer.files)
        print(json.dumps({"text": tracer.text, "files": files}), file=sys.__stderr__)
