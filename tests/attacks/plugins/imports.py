"""A model whose plugin does harm when it is imported; which, the module's name says."""

import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

CHOSEN = __name__.removeprefix("attack_imports_")
TEMPORARY = Path(os.environ.get("TMPDIR", "/nowhere"))
ENDED = {"event": "exited", "code": 0, "exceeded": "timeout", "unwritten": "", "peak": 1, "seconds": 0.1, "seal": ""}
FORGED = (
    ENDED,
    {**ENDED, "relisted": False, "protections": "forged"},
    {**ENDED, "exceeded": "", "relisted": True, "protections": ""},
    {**ENDED, "exceeded": "", "unwritten": "forged", "relisted": False, "protections": "", "code": -9},
    {"event": "importing", "name": "forged"},
    {"event": "prepared"},
    {"event": "began", "pid": 1},
    {"event": "began", "pid": os.getpid()},
    {"event": "began", "pid": os.getppid()},
    {"event": "usage", "seconds": 1e9, "bytes": 1 << 60},
    {"event": "lost", "code": 1},
    {"event": "phase", "name": "forged\x1b[2J"},
    {"event": "epoch", "epoch": -1, "epochs": 1 << 62, "train_loss": 1e308, "validation_loss": None},
    {"event": "note", "text": "forged"},
    {"run": {"name": "forged"}},
    {"prepare": {"models": ["forged"]}},
    {"code": {"readable": ["/"], "listed": ["/"]}},
)
COSTLY = (
    {"event": "ranked", "cold": False},
    {"event": "ranked", "cold": True},
    {"event": "unwritten", "reason": "forged"},
)
"""What a cell may say of itself: it costs the cell."""


def overwrite():
    """Overwrite all predictions of the run that can be found, again and again."""
    while True:
        for path in TEMPORARY.glob("cfbench-run-*/**/answers/predictions.npy"):
            try:
                np.save(path, np.full_like(np.load(path), 1.0))
            except (OSError, ValueError, EOFError):
                continue


def forge(events=FORGED):
    """Write forged events of all tasks that can be named to all descriptors, once."""
    names = {path.name for path in TEMPORARY.glob("cfbench-run-*/cells/**/*") if len(path.name) == 32}
    names |= {part for part in Path.cwd().parts if len(part) == 32}
    lines = b"".join(json.dumps({**one, "task": name}).encode() + b"\n" for name in names or {""} for one in events)
    for descriptor in range(3, 1024):
        try:
            os.set_blocking(descriptor, False)
            os.write(descriptor, lines)
            os.set_blocking(descriptor, True)
        except OSError:
            continue


def forge_for_ever():
    """Forge events again and again."""
    while True:
        forge()
        time.sleep(0.001)


def patch_everything():
    """Put something else in place of what processes of the run may use."""

    def hang(*_arguments, **_options):
        while True:
            time.sleep(1)

    def harm(*_arguments, **_options):
        raise RuntimeError("patched")

    for module in [one for name, one in sys.modules.items() if name.startswith("cfbench.execution")]:
        for name, value in list(vars(module).items()):
            if callable(value) and not isinstance(value, type) and not name.startswith("__"):
                setattr(module, name, harm)
    for name in ("fork", "_exit", "waitpid", "kill", "close", "write", "dup2", "getppid", "setsid", "killpg"):
        setattr(os, name, harm)
    signal.signal = harm
    json.loads = hang


match CHOSEN:
    case "overwrites":
        threading.Thread(target=overwrite, daemon=True).start()
    case "forges":
        threading.Thread(target=forge_for_ever, daemon=True).start()
        time.sleep(1)
    case "claims":
        forge()
    case "hangs":
        time.sleep(3600)
    case "hangs_loads":
        json.loads = lambda *_arguments, **_options: time.sleep(3600)
    case "patches":
        patch_everything()
    case "hoards":
        HELD = np.ones(90_000_000)
        time.sleep(2)
    case "hides":
        HELD = os.memfd_create("hoard")
        for _ in range(600):
            os.write(HELD, bytes(1 << 20))
        time.sleep(2)
    case "starts":
        CHILD = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    case "daemonises":
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
    case "aborts":
        os.abort()
    case "exits":
        os._exit(0)
    case "shoots":
        os.kill(os.getppid(), signal.SIGKILL)
    case "interrupts":
        raise KeyboardInterrupt
    case "maps":
        SHARED = mmap.mmap(-1, 4096)
    case "pipes":
        SHARED = os.pipe()
        os.set_blocking(SHARED[0], False)
    case "opens":
        SHARED = tempfile.TemporaryFile(dir=Path.home())  # noqa: SIM115
    case "seeks":
        SHARED = Path(__file__).open("rb")  # noqa: SIM115
    case "memfd":
        SHARED = os.memfd_create("notes")


def note() -> bytes:
    """Return what a cell before has left, and leave something for the next."""
    match CHOSEN:
        case "maps":
            found, SHARED[:4] = SHARED[:4].strip(b"\0"), b"note"
        case "pipes":
            try:
                found = os.read(SHARED[0], 4)
            except BlockingIOError:
                found = b""
            os.write(SHARED[1], b"note")
        case "opens":
            SHARED.seek(0)
            found = SHARED.read()
            SHARED.write(b"note")
            SHARED.flush()
        case "seeks":
            found = b"x" * os.lseek(SHARED.fileno(), 0, os.SEEK_CUR)
            os.lseek(SHARED.fileno(), 7, os.SEEK_SET)
        case "memfd":
            found = os.pread(SHARED, 4, 0)
            os.pwrite(SHARED, b"note", 0)
        case _:
            return b""
    return found


class Imported:
    """Predicts the mean; fails where another cell has left it a note."""

    def fit(self, train, context):
        if found := note():
            raise RuntimeError(f"a cell before has left {found!r}")
        if CHOSEN in ("tells", "tells_more"):
            forge()
            forge(COSTLY if CHOSEN == "tells_more" else ())
        self.mean_ = train.mean

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
