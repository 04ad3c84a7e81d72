"""Events on their way from a cell to its watchdog, and from there to the supervisor: JSON lines.

Every cell has a pipe of its own, and what comes by it is about that cell alone. The end of a cell is always reported.
Progress is dropped while the supervisor is busy: neither a model's clock nor the limits that it is held to may wait for
a reader.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

LONGEST_TEXT = (select.PIPE_BUF - 500) // 6
"""Characters of a text in an event: with them it is shorter than what the system writes in one piece.

A character takes six bytes at most, as the escape of a control character; 500 are left for the rest of the event.
"""

_BURST, _A_SECOND = 1000, 20  # events
_PIPE_BYTES = 1 << 20  # room for some thousand events


_NUMBER = int | float
_LOSS = int | float | None
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "importing": {"name": str},
    "prepared": {},
    "began": {"pid": int},
    "note": {"text": str},
    "phase": {"name": str},
    "epoch": {"epoch": int, "epochs": int, "train_loss": _LOSS, "validation_loss": _LOSS},
    "usage": {"seconds": _NUMBER, "bytes": int},
    "load": {},
    "ranked": {"cold": bool},
    "unwritten": {"reason": str},
    "exited": {
        "code": int,
        "exceeded": str,
        "unwritten": str,
        "peak": int,
        "seconds": _NUMBER,
        "seal": str,
        "protections": str,
        "relisted": bool,
    },
}


def _valid(value: object, kind: Any) -> bool:
    if (isinstance(value, str) and len(value) > LONGEST_TEXT) or (isinstance(value, int) and abs(value) >= 1 << 63):
        return False
    return isinstance(value, kind)


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Return an event; None for any other line, since models can write to these pipes, too."""
    with suppress(ValueError, RecursionError, TypeError, KeyError):  # no JSON, no object, unknown, a field missing
        event = json.loads(line)
        kinds = _FIELDS[event["event"]]
        fields = {name: event[name] for name in kinds}
        if all(_valid(fields[name], kind) for name, kind in kinds.items()):
            return {"event": event["event"], "task": str(event.get("task", "")), **fields}
    return None


def send_if_room(pipe: int, task: str, **event: object) -> bool:
    """Write an event to a pipe that does not block, if there is room; return whether there was."""
    try:
        os.write(pipe, event_line(**event, task=task))
    except BlockingIOError:
        return False
    return True


def event_line(**event: object) -> bytes:
    """Return an event as a line."""
    return json.dumps(event, ensure_ascii=False).encode(errors="replace") + b"\n"


class EventRate:
    """Rate at which events of one cell are passed on: the first thousand, then twenty a second.

    Readers miss nothing that they could show, and a model that reports without end costs them nothing.
    """

    def __init__(self) -> None:
        """Begin with a thousand events to spare."""
        self._spare, self._looked = float(_BURST), time.monotonic()

    def allows(self) -> bool:
        """Whether one more event is passed on."""
        now = time.monotonic()
        self._spare = min(_BURST, self._spare + _A_SECOND * (now - self._looked))
        self._looked = now
        if self._spare < 1:
            return False
        self._spare -= 1
        return True


def widen(pipe: int) -> None:
    """Let a pipe hold more, where the system can, so that hardly any event is dropped."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user has many pipes already
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
