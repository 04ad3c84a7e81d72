"""Plugin processes live in a home of their own, and every cell in a copy of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cfbench.execution.sandbox import home_variables, move_in, move_into_copy, persistent_home


@pytest.fixture
def homes(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "homes"


def in_a_fork(act) -> str:
    """Return what ``act`` says in a process of its own, since it changes where the process is at home."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            os.write(write, str(act()).encode())
        except BaseException as error:  # noqa: BLE001 - nothing may unwind into the test
            os.write(write, repr(error).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


def test_a_distribution_has_one_home_below_the_cache(homes, tmp_path):
    assert persistent_home("cfbench-torch", tmp_path) == homes / "cfbench-torch"
    assert (homes / "cfbench-torch").is_dir()


@pytest.mark.parametrize("name", ["../up", "..", ".hidden", "a/b", "a b", "/etc"])
def test_a_hostile_name_stays_below_the_cache_and_meets_no_other(homes, tmp_path, name):
    home = persistent_home(name, tmp_path)
    assert home.parent == homes
    assert home != persistent_home(re.sub(r"[/ ]|^\.", "_", name), tmp_path)


def test_where_the_cache_cannot_be_made_the_home_lies_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "file" / "cache"))
    home = persistent_home("cfbench-torch", tmp_path / "run")
    assert home.parent == tmp_path / "run"
    assert home.is_dir()


def test_all_that_names_a_folder_for_libraries_lies_in_the_home():
    variables = home_variables("/somewhere/home")
    assert variables["HOME"] == "/somewhere/home"
    assert {
        "XDG_CACHE_HOME",
        "SURPRISE_DATA_FOLDER",
        "NUMBA_CACHE_DIR",
        "MPLCONFIGDIR",
        "TORCH_HOME",
    } <= variables.keys()
    assert all(Path(folder).is_relative_to("/somewhere/home") for folder in variables.values())


def test_a_path_that_was_kept_before_the_fork_leads_into_the_copy_and_not_into_the_original(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "cell" / "home"
    home.mkdir()
    (home / "warm").write_text("compiled")

    def act() -> str:
        move_in(home)
        kept = Path(os.environ["HOME"])  # as a library does when it is imported
        move_into_copy(home, copy)
        (kept / "note").write_text("from this cell")
        return f"{(kept / 'warm').read_text()} {os.environ['HOME']}"

    assert in_a_fork(act) == f"compiled {copy}"
    assert (copy / "note").exists()
    assert not (home / "note").exists()


def test_what_a_cell_starts_finds_the_paths_that_were_kept_before_the_fork(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "cell" / "home"
    home.mkdir()
    (home / "source").write_text("int main() { return 0; }")

    def act() -> str:
        move_in(home)
        kept = Path(os.environ["HOME"]) / "source"
        in_server = subprocess.run(["cat", str(kept)], capture_output=True, text=True, check=True).stdout
        move_into_copy(home, copy)
        (copy / "source").write_text("of this cell")
        return in_server + subprocess.run(["cat", str(kept)], capture_output=True, text=True, check=True).stdout

    assert in_a_fork(act) == "int main() { return 0; }of this cell"


def test_a_descriptor_that_is_in_use_is_left_alone(tmp_path):
    def act() -> str:
        used = os.open(tmp_path, os.O_RDONLY)
        os.dup2(used, 180)
        before = os.fstat(180).st_ino
        move_in(tmp_path)
        return f"{os.fstat(180).st_ino == before} {Path(os.environ['HOME']).samefile(tmp_path)}"

    assert in_a_fork(act) == "True True"


def test_a_home_that_is_a_link_is_not_used(homes, tmp_path):
    homes.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (homes / "cfbench-torch").symlink_to(tmp_path / "elsewhere")
    assert persistent_home("cfbench-torch", tmp_path / "run").parent == tmp_path / "run"
