"""A confined process writes, reads and connects where it may, nowhere else, and signals none but its own."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cfbench.execution.sandbox import confine, landlock_version

pytestmark = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock, which confines a process")


def confined(act: Callable[[], object], writable=(), readable=None, **options) -> str:
    """Return the name of the error that ``act`` raises in a confined process, an empty text where it succeeds."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = "not confined"
        try:
            if confine(writable, readable, **options):
                told = ""
                act()
        except BaseException as error:  # noqa: BLE001 - nothing may unwind into the test
            told = type(error).__name__
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


@pytest.fixture
def place(tmp_path):
    for name in ("store", "work/own", "beside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("old")
    return tmp_path


@pytest.mark.parametrize(("target", "denied"), [("store/file", True), ("work/new", True), ("work/own/new", False)])
def test_writing(place, target, denied):
    told = confined(lambda: (place / target).write_text("new"), [place / "work" / "own"])
    assert told == ("PermissionError" if denied else "")


@pytest.mark.parametrize("target", ["/tmp/note", "/var/tmp/note", "/dev/shm/note", f"{os.__file__}.note"])
def test_no_note_can_be_left_where_all_can_write_or_beside_code(place, target):
    assert confined(Path(target).touch, [place / "work" / "own"]) == "PermissionError"
    assert not Path(target).exists()


def test_removing_and_moving_are_writing_and_what_holds_nothing_can_be_written(place):
    own = place / "work" / "own"
    assert confined((place / "store" / "file").unlink, [own]) == "PermissionError"
    assert confined(lambda: (place / "store" / "file").rename(own / "stolen"), [own]) == "PermissionError"
    assert confined(lambda: (own / "file").rename(place / "store" / "left"), [own]) == "PermissionError"
    assert confined(lambda: (own / "file").rename(own / "moved"), [own]) == ""
    assert confined(lambda: Path(os.devnull).write_text("nothing"), [own]) == ""


@pytest.mark.parametrize(
    ("target", "denied"),
    [("store/file", True), ("beside/file", False), ("work/own/file", False), ("/proc/self/status", False)],
)
def test_reading(place, target, denied):
    told = confined((place / target).read_bytes, [place / "work" / "own"], [place / "beside"])
    assert told == ("PermissionError" if denied else "")


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "fd/0", "root", "cwd"])
def test_other_processes_cannot_be_looked_into(place, name):
    path = Path(f"/proc/{os.getpid()}") / name
    look = path.readlink if path.is_symlink() else path.read_bytes
    assert confined(look, [], [place]) == "PermissionError"


@pytest.mark.skipif(os.geteuid() != 0, reason="the superuser alone can make devices")
def test_the_superuser_makes_no_device_and_has_no_other_power_left(place):
    own = place / "work" / "own"
    assert confined(lambda: os.mknod(own / "disk", 0o60600, os.makedev(254, 0)), [own]) == "PermissionError"
    assert confined(lambda: os.setuid(65534), [own]) == "PermissionError"


def test_a_folder_may_be_listed_and_not_read(place):
    assert confined(lambda: list((place / "store").iterdir()), [], [], listed=[place]) == ""
    assert confined((place / "store" / "file").read_bytes, [], [], listed=[place]) == "PermissionError"
    assert confined(lambda: list((place / "store").iterdir()), [], []) == "PermissionError"


def test_what_does_not_exist_harms_nothing(place):
    assert confined(lambda: None, [place / "none"], [place / "none" / "deep"]) == ""


def test_a_second_confinement_gives_nothing_back(place):
    def act():
        confine([place / "store"], None)
        (place / "store" / "file").write_text("new")

    assert confined(act, [place / "work"]) == "PermissionError"


@pytest.mark.skipif(landlock_version() < 4, reason="connections are confined from version 4 of Landlock on")
@pytest.mark.parametrize("allowed", [True, False])
def test_no_connection_unless_allowed(allowed):
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = confined(lambda: socket.create_connection(server.getsockname(), timeout=9), network=allowed)
    assert told == ("" if allowed else "PermissionError")


@pytest.mark.skipif(landlock_version() < 6, reason="signals are confined from version 6 of Landlock on")
def test_no_process_outside_can_be_signalled(place):
    assert confined(lambda: os.kill(os.getppid(), signal.SIGCONT)) == "PermissionError"
