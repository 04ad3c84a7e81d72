"""The peak memory of a command and of every process that it starts."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

_PAUSE = (
    0.05  # seconds between two looks; the kernel keeps the peak, so only the last moments of a process can be missed
)


def peaks_of(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, int]:
    """Run ``command`` and return the peak resident bytes (VmHWM) of ``"parent"`` and of the ``"largest child"``.

    Raises subprocess.CalledProcessError where it fails.
    """
    process = subprocess.Popen(command, env=environment)
    peaks = {"parent": 0, "largest child": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE):
            for pid in _family(process.pid):
                who = "parent" if pid == process.pid else "largest child"
                peaks[who] = max(peaks[who], _peak(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return peaks


def _family(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
