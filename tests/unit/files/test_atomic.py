"""Files that are written whole or not at all, and what killed writers leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cfbench.errors import StoreError
from cfbench.files.atomic import clear_leftovers, replacing, room, write_text


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "page.md", "old")
    with pytest.raises(TypeError), replacing(tmp_path / "page.md") as file:
        file.writelines([b"half", "text"])  # type: ignore[list-item]
    assert (tmp_path / "page.md").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_leftovers_of_killed_writers_are_removed_and_files_in_writing_are_not(tmp_path):
    others = {".hidden", ".env.template", ".bashrc.original"}  # the last two end as tempfile ends names
    for name in (*others, ".page.md.a1b2_c3d.cfbench"):
        (tmp_path / name).write_text("")
    (tmp_path / ".link.md.a1b2_c3d.cfbench").symlink_to(tmp_path / ".hidden")
    with replacing(tmp_path / "table.md") as file:
        file.write(b"in writing")
        clear_leftovers(tmp_path)
    assert (tmp_path / "table.md").read_bytes() == b"in writing"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*others, ".link.md.a1b2_c3d.cfbench", "table.md"}


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_text(tmp_path / "runs" / "table.md", "")


def test_a_file_that_takes_its_place_at_this_moment_is_no_leftover_to_another_run(tmp_path, monkeypatch):
    replace = os.replace

    def swept(source, target):
        clear_leftovers(tmp_path)
        replace(source, target)

    monkeypatch.setattr(os, "replace", swept)
    write_text(tmp_path / "page.md", "new")
    assert (tmp_path / "page.md").read_text() == "new"


WRITES = """
import os, sys
from pathlib import Path
from cfbench.files.atomic import write_text
left = int(sys.argv[2])

def dying(call):
    def called(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return call(*arguments, **named)
    return called

for name in ("open", "fsync", "chmod", "replace", "close", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
write_text(Path(sys.argv[1]), "new")
"""


def test_whichever_step_a_writer_is_killed_at_the_file_is_the_old_or_the_new_one_and_what_is_left_is_cleared(tmp_path):
    seen, code, step = [], -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        write_text(tmp_path / "page.md", "old")
        code = subprocess.run([sys.executable, "-c", WRITES, tmp_path / "page.md", str(step)], check=False).returncode
        seen.append((tmp_path / "page.md").read_text())
        clear_leftovers(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
        step += 1
    assert code == 0
    assert step > 4
    assert seen == sorted(seen, reverse=True)  # the old one up to some step, from there on the new one
    assert set(seen) == {"old", "new"}


def test_what_the_disk_refuses_says_what_to_do(tmp_path):
    wrong = r"cannot write .*/no/such: No such file or directory; free the disk, or set TMPDIR or --workspace"
    with pytest.raises(StoreError, match=wrong), room(tmp_path):
        (tmp_path / "no" / "such").write_bytes(b"")
