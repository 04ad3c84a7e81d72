"""The keeper of a cell works where the system lacks what would make it faster."""

from __future__ import annotations

import errno
import os

import pytest

from cfbench.execution.watchdog import end_of


def test_a_kernel_or_container_without_process_descriptors_is_worked_with(monkeypatch):
    def refuse(pid):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    assert end_of(os.getpid()) is None
    monkeypatch.delattr(os, "pidfd_open")
    assert end_of(os.getpid()) is None


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no process descriptors on this system")
def test_where_there_are_process_descriptors_one_is_used():
    descriptor = end_of(os.getpid())
    assert descriptor is not None
    os.close(descriptor)
