"""What all tests need, those of the plugins too, wherever and however they are started."""

from __future__ import annotations

import compileall
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

WRITES_NO_BYTECODE = sys.dont_write_bytecode


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start hear signals that this process ignores, as a background job of a script or by nohup does.

    Where Python is told to write no bytecode, the core and its plugins are compiled once: hundreds of tests start
    processes that import them, and each would take a fifth of its time to compile them anew. Modules of tests, whose
    assertions take half of the collection to rewrite, are kept too.
    """
    for one in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, lambda _number, _frame: None)  # another program begins with the default then
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        here = Path(__file__).parent
        for folder in (here / "cfbench", *here.glob("plugins/*/src")):
            compileall.compile_dir(folder, quiet=2)
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":  # else it only deals out tests
        sys.dont_write_bytecode = False
        from hypothesis import settings  # noqa: PLC0415 - a second to import

        settings.register_profile("shared-machine", deadline=None)  # speed is judged by benchmarks, not by tests
        settings.load_profile("shared-machine")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let every second worker collect from the other end, so that it finds rewritten what its neighbour has read."""
    report = yield
    worker = getattr(collector.config, "workerinput", {}).get("workerid", "gw0")
    if isinstance(collector, pytest.Directory) and int(worker.removeprefix("gw")) % 2:
        report.result.reverse()
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take a budget for hypothesis."""
    parser.addoption("--examples", type=int, default=1, help="times as many examples of every property (hypothesis)")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Put tests into one order for all workers, before they are shuffled; multiply the examples of properties."""
    sys.dont_write_bytecode = WRITES_NO_BYTECODE
    items.sort(key=lambda item: item.path)
    if config.getoption("--examples") > 1:
        _multiply_examples(items, config.getoption("--examples"))
    return (yield)


def _multiply_examples(items: list[pytest.Item], times: int) -> None:
    """Multiply the examples of properties, of those too that state how many they want."""
    from hypothesis import settings  # noqa: PLC0415 - a second to import

    for test in (getattr(item, "obj", None) for item in items):
        if hasattr(test, "hypothesis"):
            usual = getattr(test, "_hypothesis_internal_use_settings", settings.default)
            more = settings(usual, max_examples=usual.max_examples * times)
            getattr(test, "__func__", test)._hypothesis_internal_use_settings = more


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """Wait until a condition on processes or files holds, on a slow and busy machine too; return what it gave."""

    def wait(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(psutil.NoSuchProcess):  # it ended while it was looked at
                if found := condition():
                    return found
            time.sleep(0.02)
        raise AssertionError("waited in vain")

    return wait


@pytest.fixture(scope="session")
def marked() -> Callable[[str], list[psutil.Process]]:
    """Return the living processes whose environment holds a mark: all that a run has started, whoever keeps them."""

    def find(mark: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("CFBENCH_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    return find
