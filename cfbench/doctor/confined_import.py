"""Program that imports the plugins of one distribution, confined like cells, and says what became of each.

``python -m cfbench.doctor.confined_import`` reads an :class:`Assignment` as a JSON object from standard input and
prints ``{"found": [...], "torch": {...}}``. ``found`` has an object for each plugin that was reached, in order:
``seconds`` with ``problem`` and ``whereabouts`` where there are any, or ``ending``, how its import ended the process.
``torch`` has ``version`` and ``cuda`` of torch and the ``devices`` that it can use, where an import loaded it.

No plugin's code runs in this process. It forks one that is confined to code and an empty home, and imports; it holds
that to its limits, ends all that it has started, and forks another for the plugins behind one that ended it.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, NoReturn

from cfbench.data.sources.source import Storage
from cfbench.errors import CfbenchError
from cfbench.execution.child_processes import close_all_but, count_below, end_children_but
from cfbench.execution.held_memory import HeldMemory
from cfbench.execution.process_tree import adopt_orphans, descendants, die_with_the_parent, how_ended, kill_descendants
from cfbench.execution.sandbox import confine, move_in
from cfbench.registry.loading import instantiate, load_class

_LOOK, _LOOK_AT_CHILDREN = 0.05, 1.0  # seconds between looks at memory and clock, and at children
_BLOCK = 65536
_LONGEST_TEXT = 2000  # letters
_MOST_RESULTS = 4 << 20  # bytes
_SHOWN = 300  # bytes of what was last printed


@dataclass(frozen=True)
class Assignment:
    """What is to be imported, and within which limits.

    Attributes:
        plugins: class (``package.module:Class``), name for messages, and whether to ask where its data are, of each.
        time_limit: seconds for all of them.
        memory_limit: bytes that the process that imports may hold with all that it starts.
        max_processes: processes that it may start.
        code: what it may read, the fields of ``ReadableCode``.
        homes: an empty folder, for homes.
        cache: where data sets are cached.
        data: where data sets are looked for first, empty for nowhere.
        parent: the process that has started this one.
    """

    plugins: Sequence[tuple[str, str, bool]]
    time_limit: float
    memory_limit: int
    max_processes: int
    code: Mapping[str, Sequence[str]]
    homes: str
    cache: str
    data: str
    parent: int


def main(assignment: Assignment) -> None:
    """Import the plugins; whatever ends this process ends all that they have started first."""
    signal.signal(signal.SIGTERM, _leave)
    for stream in (sys.stdout, sys.stderr):  # so that all is told that a process printed before it crashed
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    adopt_orphans()
    try:
        die_with_the_parent(assignment.parent, by=signal.SIGTERM)
        sys.stdout.write(json.dumps(_results(assignment)))
    finally:
        _end_all()


def _leave(*_: object) -> NoReturn:
    """End this process in good order, once: the kernel says again and again that threads of its parent have gone."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(1)


def _results(assignment: Assignment) -> dict[str, Any]:
    found, torch = list[dict[str, Any]](), None
    deadline = time.monotonic() + assignment.time_limit
    while (left := assignment.plugins[len(found) :]) and time.monotonic() < deadline:
        importer = _Importer(assignment, left, Path(assignment.homes) / str(len(found)))
        ending = importer.watch(deadline)
        for facts in importer.results():
            torch = facts.get("torch", torch)
            if "seconds" in facts and len(found) < len(assignment.plugins):
                found.append(facts)
        if len(found) < len(assignment.plugins):
            found.append({"ending": ending})
    return {"found": found, "torch": torch}


class _Importer:
    """A process that imports plugins, as seen from the one in which none runs."""

    def __init__(self, assignment: Assignment, plugins: Sequence[tuple[str, str, bool]], home: Path) -> None:
        self._assignment, self._told, self._printed = assignment, b"", b""
        home.mkdir()
        (told, tell), (printed, output) = os.pipe(), os.pipe()
        keeper = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _import(assignment, plugins, home, tell, output, keeper)
        os.close(tell)
        os.close(output)
        self._memory, self._beside, self._looked = HeldMemory(home), 0, time.monotonic()
        self._selector = DefaultSelector()
        for descriptor, take in ((told, self._take_results), (printed, self._take_printed)):
            self._selector.register(descriptor, EVENT_READ, take)

    def watch(self, deadline: float) -> str:
        """Wait for its end, or end it at its limits, with all that it has started; return how it ended, in words."""
        ending, done, status = "", 0, 0
        while not (ending or done):
            self._read(_LOOK)
            done, status = os.waitpid(self._pid, os.WNOHANG)
            if not done and time.monotonic() > deadline:
                ending = f"had not ended after {self._assignment.time_limit:g} s"
            elif not done:
                ending = self._excess()
        _end_all()
        while self._selector.get_map():  # nobody is left who could write
            self._read(None)
        self._selector.close()
        last = " ".join(self._printed.decode(errors="replace").split())
        ending = ending or how_ended(os.waitstatus_to_exitcode(status))
        return f"{ending}; it last printed: {last}" if last else ending

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield what it has told, as far as that is what it should: a plugin can write there what it likes."""
        for line in self._told.split(b"\n"):
            with suppress(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
                told = json.loads(line)
                if (torch := told.get("torch")) is not None:
                    cuda = None if torch["cuda"] is None else _text(torch["cuda"])
                    devices = [_text(one) for one in list(torch["devices"])[:64]]
                    yield {"torch": {"version": _text(torch["version"]), "cuda": cuda, "devices": devices}}
                elif math.isfinite(seconds := float(told["seconds"])):
                    texts = {name: _text(told[name]) for name in ("problem", "whereabouts") if name in told}
                    yield {"seconds": seconds, **texts}

    def _read(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            if data := os.read(key.fd, _BLOCK):
                key.data(data)
            else:
                self._selector.unregister(key.fd)
                os.close(key.fd)
        if not self._selector.get_map() and seconds:
            time.sleep(seconds)

    def _take_results(self, data: bytes) -> None:
        self._told = (self._told + data)[:_MOST_RESULTS]

    def _take_printed(self, data: bytes) -> None:
        self._printed = (self._printed + data)[-_SHOWN:]

    def _excess(self) -> str:
        """Return in words which limit it exceeds, empty for none."""
        limits, seen = self._assignment, self._memory.glance(self._pid)
        if time.monotonic() - self._looked > _LOOK_AT_CHILDREN:
            self._looked = time.monotonic()
            self._beside = max(0, self._memory.total([self._pid, *descendants([self._pid])]) - seen)
            if count_below(self._pid, limits.max_processes) > limits.max_processes:
                return f"started more than {limits.max_processes} processes"
        if (held := seen + self._beside) > limits.memory_limit:
            return f"held {held / 2**20:,.0f} MiB, more than the {limits.memory_limit / 2**20:,.0f} MiB allowed"
        return ""


def _end_all() -> None:
    """End and reap all children; where orphans are adopted, that is all that any of them has started."""
    kill_descendants(os.getpid())
    end_children_but(())


def _text(told: object) -> str:
    return str(told)[:_LONGEST_TEXT].encode(errors="replace").decode()


def _import(
    assignment: Assignment, plugins: Sequence[tuple[str, str, bool]], home: Path, tell: int, output: int, keeper: int
) -> NoReturn:
    """Confine this freshly forked process, import plugins and write a result of each to the descriptor ``tell``."""
    leave, code = os._exit, 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_the_parent(keeper)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        close_all_but(tell)
        move_in(home)
        data = Path(assignment.data) if assignment.data else None
        # What a data set says of its whereabouts may rest on the names of files, which are no ratings.
        searched = [path for path in (assignment.cache, data) if path and any(askable for *_, askable in plugins)]
        confine((home,), assignment.code["readable"], listed=(*assignment.code["listed"], *searched))
        for value, who, askable in plugins:
            facts = _imported(value, who, Storage(data, Path(assignment.cache)) if askable else None)
            os.write(tell, json.dumps(facts).encode() + b"\n")
        if (torch := sys.modules.get("torch")) is not None:
            numbers = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
            devices = [torch.cuda.get_device_name(number) for number in numbers]
            facts = {"version": str(torch.__version__), "cuda": torch.version.cuda, "devices": devices}
            os.write(tell, json.dumps({"torch": facts}).encode() + b"\n")
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may unwind into the frames of the process that forked this one
        traceback.print_exc()
    finally:
        leave(code)


def _imported(value: str, who: str, storage: Storage | None) -> dict[str, object]:
    """Import a class; where ``storage`` is given, ask the data set that it makes where its data would come from."""
    facts, started = dict[str, object](), time.monotonic()
    try:
        cls = load_class(value, who)
        if storage is not None:
            facts["whereabouts"] = str(instantiate(cls, {}, who).whereabouts(storage))[:_LONGEST_TEXT]
    except CfbenchError as error:
        facts["problem"] = str(error)[:_LONGEST_TEXT]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the plugin's own code may raise anything
        facts["problem"] = f"{who} does not say where its data are: {type(error).__name__}: {error}"[:_LONGEST_TEXT]
    return {"seconds": time.monotonic() - started, **facts}


if __name__ == "__main__":
    main(Assignment(**json.load(sys.stdin)))
