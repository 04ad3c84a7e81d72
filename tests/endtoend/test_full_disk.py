"""Disks that are full or may not be written: a clear error, what is done is kept, the same command goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cfbench.records.record import Record
from cfbench.records.store import RunFolder, read_lines

pytest.importorskip("cfbench_baselines", reason="runs models of the plugin cfbench-baselines")

MODELS = "bias,item-mean,user-mean,global-mean,popular,random"


class Disk:
    """A small disk of its own, mounted for one test."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.place = place

    def mount(self, size: str, *options: str) -> None:
        again = ["remount"] if self.place.is_mount() else []
        chosen = ",".join([*again, f"size={size}", *options])
        command = ["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", str(self.place)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"cannot mount a small disk here: {made.stderr.strip()}")

    def fill(self) -> None:
        with (self.place / "filling").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    made = Disk(tmp_path / "disk")
    yield made
    if made.place.is_mount():
        subprocess.run(["umount", "--lazy", str(made.place)], check=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory, write_ratings) -> Path:
    place = tmp_path_factory.mktemp("home")
    write_ratings(place / "ratings.csv", n_users=300, n_items=200, n_ratings=6_000)
    return place


@pytest.fixture(scope="module")
def whole(home, call_cfbench) -> Path:
    """The run as it is when nothing is in its way."""
    call_cfbench(home, *command(home, "whole"))
    return home / "whole"


def pages(folder: Path) -> int:
    """KiB that the files of a folder take of a disk that sets aside 4 at a time."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


def command(home: Path, folder: Path | str) -> tuple[str, ...]:
    return ("run", "-d", str(home / "ratings.csv"), "-m", MODELS, "--metric", "RMSE,NDCG@10", "-o", str(folder))


def figures(folder: Path) -> dict[str, dict]:
    records = (line for line in read_lines(folder / "records.jsonl") if isinstance(line, Record))
    return {record.cell.model: dict(record.metrics) for record in records}


@pytest.fixture
def call(home) -> Callable[..., str]:
    """Run the command line with further environment variables; return what was said on standard error."""

    def run(*arguments: str, code: int, **environ: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cfbench", *arguments],
            cwd=home, env={**os.environ, **environ}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        return done.stderr

    return run


def test_a_disk_that_fills_up_keeps_what_is_done_and_more_room_lets_it_go_on(call, disk, home, whole):
    disk.mount(f"{pages(whole / 'cells') // 2}k")
    folder = disk.place / "run"
    said = call(*command(home, folder), code=1)
    assert "No space left on device; free the disk, or use another folder" in said
    notes: list[str] = []
    kept = RunFolder(folder).all_records(notes.append)
    assert 0 < len(kept) < 6
    assert all(RunFolder(folder).load(record.cell) for record in kept)
    assert not notes
    disk.mount("20m")
    said = call(*command(home, folder), code=0)
    assert said.count("] kept ") == len(kept)
    assert figures(folder) == figures(whole)
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_a_disk_that_is_full_from_the_start_is_told(call, disk, home):
    disk.mount("64k")
    disk.fill()
    assert "free the disk" in call(*command(home, disk.place / "run"), code=1)


def test_a_full_folder_for_temporary_files_is_told(call, disk, home):
    disk.mount("64k")
    disk.fill()
    said = call(*command(home, home / "elsewhere"), "--workspace", str(disk.place), code=1)
    assert str(disk.place) in said
    assert "No space left on device; free the disk" in said


def test_a_folder_for_temporary_files_that_fills_up_is_told(call, disk, home):
    disk.mount("32k")
    said = call(*command(home, home / "another"), "--workspace", str(disk.place), code=1)
    assert "free the disk" in said


def test_a_full_cache_costs_no_data(call, disk, home, whole):
    disk.mount("64k")
    disk.fill()
    call(*command(home, home / "uncached"), code=0, CFBENCH_CACHE=str(disk.place / "cache"))
    assert figures(home / "uncached") == figures(whole)


@pytest.mark.parametrize("arguments", [("report",), ("rescore",)])
def test_a_read_only_folder_is_told_and_the_tables_are_shown_all_the_same(disk, home, whole, arguments):
    disk.mount("20m")
    shutil.copytree(whole, disk.place / "run")
    before = (disk.place / "run" / "records.jsonl").read_bytes()
    disk.mount("20m", "ro")
    done = subprocess.run(
        [sys.executable, "-m", "cfbench", *arguments, str(disk.place / "run")],
        cwd=home, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Read-only file system; free the disk, or use another folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("Overview" in done.stdout) == (arguments == ("report",))  # rescoring stops where it writes its records
    assert (disk.place / "run" / "records.jsonl").read_bytes() == before


def test_a_run_into_a_read_only_folder_computes_nothing(call, disk, home, whole):
    disk.mount("20m")
    shutil.copytree(whole, disk.place / "run")
    disk.mount("20m", "ro")
    said = call(*command(home, disk.place / "run"), code=2)
    assert "cannot be written to" in said
