"""Marked processes, found among all of this machine."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import psutil

SOON = 45.0
"""Seconds in which what is ended has ended, on a busy machine too; what has to be ended lasts much longer."""

_LOOK = 0.05  # seconds between looks


def new_mark() -> str:
    """Return a text that no process bears yet, short enough for a process's name."""
    return f"cfb-{uuid.uuid4().hex[:10]}"


def bearers(mark: str) -> list[psutil.Process]:
    """Return the living processes of this machine that are called ``mark``, or were started with it."""
    found = psutil.process_iter(["name", "cmdline", "status"])
    return [
        one
        for one in found
        if (one.info["name"] == mark or mark in (one.info["cmdline"] or ()))
        and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    until = time.monotonic() + seconds
    while not (held := bool(condition())) and time.monotonic() < until:
        time.sleep(_LOOK)
    return held
