"""Rules on what an executor must leave as it is: the process that it is called from."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench
from cfbench.testing.global_randomness import global_state_moves


def _leaves_this_process_alone(bench: Bench) -> None:
    changed = _changed_by(bench, "Learner")
    bench.require(
        not changed,
        f"changes {', '.join(changed)} of the process that calls it; put back at the end what it needs otherwise",
    )


def _keeps_models_from_this_process(bench: Bench) -> None:
    changed = _changed_by(bench, "Vandal")
    bench.require(
        not changed,
        f"lets a model change {', '.join(changed)} of the process that calls it; give every task a process of its own",
    )


def _leaves_global_randomness_alone(bench: Bench) -> None:
    moved = global_state_moves(lambda: bench.outcomes([bench.task("one", "Learner")]))
    bench.require(
        not moved,
        f"moves the global random state of {', '.join(moved)} in the process that calls it; use a generator of its own",
    )


def _changed_by(bench: Bench, model: str) -> list[str]:
    """Have a task carried out; name what is not any more as it was."""
    with _put_back():
        before = _surroundings()
        bench.outcomes([bench.task("one", model)])
        after = _surroundings()
    return [name for name, state in before.items() if after[name] != state]


def _surroundings() -> dict[str, Any]:
    return {
        "signal handlers": _handlers(),
        "the current folder": Path.cwd(),
        "the environment": dict(os.environ),
    }


def _handlers() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in signal.Signals}


@contextmanager
def _put_back() -> Iterator[None]:
    """Bring all that back as it was, so that a broken rule harms no other check."""
    handlers, folder, environment = _handlers(), Path.cwd(), dict(os.environ)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)
        os.chdir(folder)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)


RULES = (
    ExecutorRule("signals, folder and environment of the caller stay", _leaves_this_process_alone),
    ExecutorRule("global random state of the caller is left alone", _leaves_global_randomness_alone),
    ExecutorRule("what a model changes in its process is its own", _keeps_models_from_this_process, isolates=True),
)
