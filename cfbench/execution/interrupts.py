"""Interrupts that come by a signal, told apart from a KeyboardInterrupt that a plugin raises itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """List of the signals whose handlers have raised KeyboardInterrupt since the block began; it is raised at its end.

    So an interrupt is not lost, whatever a plugin makes of it. At the end the handlers of before are back. In threads
    other than the main one Python handles no signals: there the list remains empty.
    """
    heard: list[int] = []
    handlers = dict[int, Callable[[int, FrameType | None], Any]]()

    def hear(number: int, frame: FrameType | None) -> None:
        try:
            handlers[number](number, frame)
        except KeyboardInterrupt:
            heard.append(number)
            raise

    try:
        if threading.current_thread() is threading.main_thread():
            for number in _INTERRUPTS:
                if callable(handler := signal.getsignal(number)):
                    handlers[number] = handler
                    signal.signal(number, hear)
        yield heard
    finally:
        for replaced, before in handlers.items():
            signal.signal(replaced, before)
        if heard:
            raise KeyboardInterrupt
