"""What all tests need, those of the plugins too, wherever and however they are started."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest
from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)  # speed is judged by benchmarks, not by tests
settings.load_profile("shared-machine")


def pytest_configure() -> None:
    """Let what tests start hear signals that this process ignores, as a background job of a script or by nohup does."""
    for one in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, lambda _number, _frame: None)  # another program begins with the default then


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
