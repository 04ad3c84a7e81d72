"""The home of imports is written to while they import, and by nobody when cells are forked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfbench.execution.import_home import ImportHome


@pytest.fixture
def persistent(tmp_path) -> Path:
    home = tmp_path / "cache" / "plugin"
    home.mkdir(parents=True)
    (home / "before").write_text("compiled")
    return home


@pytest.fixture
def home(tmp_path, persistent) -> ImportHome:
    (tmp_path / "place").mkdir()
    return ImportHome(tmp_path / "place", persistent)


def test_an_import_works_in_a_copy_that_cells_and_later_runs_get_when_it_is_done(home, persistent):
    lent = home.lend()
    (lent / "warm").write_text("compiled, too")
    expected, parent = home.imported, lent.parent
    assert not (persistent / "warm").exists()
    home.take_back(keep=True)
    assert home.path == expected
    assert {path.name for path in home.path.iterdir()} == {"before", "warm"}
    assert {path.name for path in persistent.iterdir()} == {"before", "warm"}
    assert not parent.exists()
    assert not home.is_lent
    assert [path.name for path in persistent.parent.iterdir()] == ["plugin"]


def test_what_held_the_home_open_cannot_write_there_by_the_folder_that_was_lent(home):
    lent = home.lend()
    folder = os.open(lent.parent, os.O_PATH)
    home.take_back(keep=True)
    with pytest.raises(FileNotFoundError):
        os.open("note", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.close(folder)


def test_an_import_that_did_not_come_to_its_end_leaves_nothing(home, persistent):
    (home.lend() / "half").write_text("com")
    home.take_back(keep=False)
    assert home.path == persistent
    assert [path.name for path in persistent.iterdir()] == ["before"]


def test_a_home_that_did_not_change_is_not_written_again(home, persistent):
    (persistent / "inner").mkdir()
    inode = persistent.stat().st_ino
    home.lend()
    home.take_back(keep=True)
    assert persistent.stat().st_ino == inode


def test_another_import_begins_with_what_the_first_has_made(home):
    (home.lend() / "warm").write_text("")
    home.take_back(keep=True)
    first = home.path
    assert {path.name for path in home.lend().iterdir()} == {"before", "warm"}
    home.take_back(keep=True)
    assert home.path != first
    assert first.is_dir()  # cells may be copying it


def test_a_link_in_the_place_of_the_home_leads_no_cell_elsewhere(home, persistent, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "ratings").write_text("5.0")
    lent = home.lend()
    lent.rename(lent.with_name("moved"))
    lent.symlink_to(tmp_path / "secret")
    home.take_back(keep=True)
    assert home.path == persistent
    assert [path.name for path in persistent.iterdir()] == ["before"]
    assert (tmp_path / "secret" / "ratings").exists()


def test_pipes_are_not_waited_for_and_links_stay_links(home, persistent):
    lent = home.lend()
    os.mkfifo(lent / "pipe")
    (lent / "link").symlink_to("before")
    home.take_back(keep=True)
    assert (persistent / "link").readlink() == Path("before")
    assert not (persistent / "pipe").exists()


def test_more_than_later_runs_should_copy_is_kept_for_this_run_alone(home, persistent):
    with (home.lend() / "large").open("wb") as file:
        file.truncate(5 << 30)
    home.take_back(keep=True)
    assert (home.path / "large").exists()
    assert not (persistent / "large").exists()
