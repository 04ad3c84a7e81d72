"""Events on their way from a cell to the supervisor: JSON lines on pipes that several processes write to.

How a cell ended always arrives. How it goes on is left untold while the supervisor has something else to do: neither a
model's clock nor the limits that it is held to may wait for a reader.
"""

from __future__ import annotations

import fcntl
import json
import select
from collections.abc import Callable, Mapping
from contextlib import suppress
from os import write
from typing import Any

LONGEST_TEXT = (select.PIPE_BUF - 300) // 6
"""Characters of a text in an event: with them it is shorter than what the system writes in one piece."""

_ROOM = 1 << 20  # bytes that a pipe is to hold: some thousand events
_BEYOND = 1 << 63


def _whole(value: object) -> bool:
    return isinstance(value, int) and abs(value) < _BEYOND


def _number(value: object) -> bool:
    return isinstance(value, float) or _whole(value)


def _loss(value: object) -> bool:
    return value is None or _number(value)


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


_FIELDS: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    "importing": {"name": _text},
    "prepared": {},
    "phase": {"name": _text},
    "epoch": {"epoch": _whole, "epochs": _whole, "train_loss": _loss, "validation_loss": _loss},
    "usage": {"seconds": _number, "bytes": _whole},
    "undelivered": {"reason": _text},
    "exited": {
        "code": _whole,
        "verdict": _text,
        "undelivered": _text,
        "peak": _whole,
        "seconds": _number,
    },
    "lost": {"code": _whole},
}


def heard(line: bytes) -> dict[str, Any] | None:
    """Read an event; None for whatever is none, since models can write to these pipes, too."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("event"), str):
        return None
    fields = _FIELDS.get(told["event"])
    if fields is None or not all(name in told and right(told[name]) for name, right in fields.items()):
        return None
    return {"event": told["event"], "task": str(told.get("task", "")), **{name: told[name] for name in fields}}


def tell(events: int, task: str, **event: object) -> None:
    """Write an event to a pipe that does not block, however long its reader takes to make room."""
    ready = select.poll()
    ready.register(events, select.POLLOUT)
    while not mention(events, task, **event):
        ready.poll()


def mention(events: int, task: str, **event: object) -> bool:
    """Write an event to a pipe that does not block, if there is room; return whether there was."""
    try:
        write(events, line_of(**event, task=task))
    except BlockingIOError:
        return False
    return True


def line_of(**event: object) -> bytes:
    """Return an event as a line."""
    return json.dumps(event, ensure_ascii=False).encode(errors="replace") + b"\n"


def widen(pipe: int) -> None:
    """Let a pipe hold more, where the system can, so that hardly anything goes untold."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user has many pipes already
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)
