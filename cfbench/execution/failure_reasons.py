"""Reason of a model's failure, in a line for records and tables: what was raised, where, and what cfbench refused."""

from __future__ import annotations

import errno
import socket
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from cfbench.errors import CfbenchError
from cfbench.records.record import Status

_MOST_CAUSES = 100  # of an error that are looked at
_LONGEST = 500  # characters of what was raised that records and tables keep
_ALLOCATION_REFUSED = ("can't allocate memory", "cannot allocate memory", "out of memory")
_REFUSED = ("permission denied", "operation not permitted")  # in messages of libraries that know no error numbers
_NO_CONNECTION = ("name resolution", "to a (local) address")  # likewise
_READ_ON = "see 'What a model may count on' in docs/plugins.md, or try --executor in-process"


def failure_of(error: BaseException, own: str, held: Collection[str]) -> tuple[Status, str]:
    """Return what becomes of a cell that raised ``error``, and the reason; traceback and reason go to standard error.

    See :func:`reason_of` for ``own``, :func:`refusal` for ``held``.
    """
    status: Status = "failed"
    reason = f"an error that cannot be told, {type.__dict__['__name__'].__get__(type(error))}"
    with suppress(BaseException):  # a plugin may have closed standard error, or written the error's class
        traceback.print_exc()
    with suppress(BaseException):
        reason = reason_of(error, own)
        if lacks_memory(error):
            status = "out-of-memory"
        elif refused := refusal(error, held):
            reason = f"{reason}; {refused}"
            print(f"cfbench: {refused}", file=sys.stderr)  # noqa: T201 - its log
    return status, reason


def reason_of(error: BaseException, own: str) -> str:
    """Return what was raised in one printable line, bounded.

    Where an error says little, it is followed by the place in the package ``own``, or else in another, that raised it.
    """
    words, name = _words_of(error), type(error).__name__
    if isinstance(error, CfbenchError):
        message = words
    else:
        message = f"{name}: {words}" if words.strip() else name
        if (not words.strip() or not isinstance(error, Exception)) and (place := _place_of(error, own)):
            message += f", raised in {place}"
    reason = " ".join(message.encode("utf-8", "replace").decode().split())
    return reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]} ..."


def refusal(error: BaseException, held: Collection[str]) -> str:
    """Return what a confined cell is kept from that ``error`` comes of, and where to read on; empty for anything else.

    ``held`` names what the kernel keeps the cell from, see :data:`cfbench.execution.sandbox.PROTECTIONS`.
    """
    try:
        for one in _chain(error):
            protection, words = _kept_from(one)
            if protection in held:
                return f"cfbench confines cells: {words}; {_READ_ON}"
    except Exception:  # a plugin may have written the error's class: it is reported without an explanation
        traceback.print_exc()
    return ""


def lacks_memory(error: BaseException) -> bool:
    """Whether an allocation was refused; libraries have errors of their own for it, known by name or by words."""
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or any(words in _words_of(one).lower() for words in _ALLOCATION_REFUSED)
        for one in _chain(error, contexts=False)
    )


def _chain(error: BaseException | None, *, contexts: bool = True) -> Iterator[BaseException]:
    """Yield an error, and what it came of or was raised in the handling of; a chain may lead back to itself."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            break
        yield error
        error = error.__cause__ or (error.__context__ if contexts else None)


def _words_of(error: BaseException) -> str:
    """Return the message of an error, whose class a plugin may have written."""
    try:
        return str(error)
    except Exception as problem:
        return f"its message cannot be told ({type(problem).__name__})"


def _place_of(error: BaseException, own: str) -> str:
    """Return the file and line that raised an error: the last in the package ``own``, else the last of all."""
    places = [
        (str(frame.f_globals.get("__name__")).partition(".")[0] == own, frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    if not places:
        return ""
    _, file, line = next((place for place in reversed(places) if place[0]), places[-1])
    return f"{Path(file).name}, line {line}"


def _kept_from(error: BaseException) -> tuple[str, str]:
    """Return the protection that an error may come of, and what cells are kept from; empty where it comes of none."""
    words = _words_of(error).lower()
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = modules[-1] if modules else ""
    of_processes = module.startswith("multiprocessing.")
    no_connection = isinstance(error, socket.gaierror) or any(one in words for one in _NO_CONNECTION)
    refused = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM)
    refused = refused or any(one in words for one in _REFUSED)
    # A helper of multiprocessing that was refused something has gone without a word to its parent.
    if not (refused or no_connection or (of_processes and isinstance(error, EOFError))):
        return "", ""
    if no_connection or module in ("socket", "_socket"):
        return "network", "they open no connection or socket unless --allow-network is given"
    if of_processes or "shared memory" in words:
        return "writes", "locks, queues, pools and shared memory of multiprocessing do not work in them"
    if module == "subprocess":
        return "writes", "they start what they may read, and chmod has no effect: start a script by its interpreter"
    return "writes", "they read installed code and their own files, write their own files alone, and open no connection"
