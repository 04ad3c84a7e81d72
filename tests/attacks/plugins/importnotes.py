"""A model whose import reads what is the user's, leaves notes and processes, and tells what it got."""

import os
import pwd
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

HOMES = {pwd.getpwuid(os.getuid()).pw_dir, os.environ.get("ATTACKED_HOME", "/nowhere")}
OTHERS = [Path(home) for home in HOMES if Path(home) != Path(os.environ["HOME"])]
GOT = []


def attempt(name, action):
    """Note what succeeds."""
    with suppress(OSError):
        GOT.append(f"{name} {action()}")


for home in OTHERS:
    attempt("read", lambda home=home: (home / "weights.txt").read_text())
    attempt("listed", lambda home=home: sorted(home.iterdir()))
    attempt("made", lambda home=home: (home / ".surprise_data").mkdir())
for folder in {"/tmp", "/dev/shm", "/var/tmp", os.environ.get("ATTACKED_TMPDIR", "/nowhere")}:
    attempt("noted", lambda folder=folder: Path(folder, "import_note.txt").write_text("note"))
attempt("rewrote", lambda: Path(__file__).open("a").close())
attempt("shared", lambda: Path("import_note.txt").write_text("note"))
attempt("reached", lambda: __import__("socket").create_connection(("127.0.0.1", 9), timeout=1))
# Its own home is writable, and goes with the import.
Path("~/.surprise_data").expanduser().mkdir()
Path(tempfile.gettempdir(), "note").write_text("note")
subprocess.Popen(
    [sys.executable, "-c", "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(3600)"],
    start_new_session=True,
)
print("printed without end " * 100_000)
for descriptor in range(3, 64):  # what it is, or that others are well, is not its to say
    with suppress(OSError):
        os.write(descriptor, b'{"seconds": 1e999}\n[[[[\n{"torch": 1}\n{"torch": {"version": "forged"}}\n')
if GOT:
    raise RuntimeError(f"it got: {'; '.join(GOT)}")


class ImportNotes:
    """Has left its notes before anybody asks."""

    def fit(self, train, context):
        """Do nothing."""
