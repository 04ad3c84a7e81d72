"""Files that are written whole or not at all, and what killed writers leave."""

from __future__ import annotations

import pytest

from cfbench.errors import StoreError
from cfbench.files.atomic import clear_leftovers, replacing, write_text


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "page.md", "old")
    with pytest.raises(TypeError), replacing(tmp_path / "page.md") as file:
        file.writelines([b"half", "text"])  # type: ignore[list-item]
    assert (tmp_path / "page.md").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_leftovers_of_killed_writers_are_removed_and_files_in_writing_are_not(tmp_path):
    (tmp_path / ".page.md.a1b2_c3d").write_text("half")
    (tmp_path / ".hidden").write_text("not ours")
    (tmp_path / ".link.md.a1b2_c3d").symlink_to(tmp_path / ".hidden")
    with replacing(tmp_path / "table.md") as file:
        file.write(b"in writing")
        clear_leftovers(tmp_path)
    assert (tmp_path / "table.md").read_bytes() == b"in writing"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".hidden", ".link.md.a1b2_c3d", "table.md"}


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_text(tmp_path / "runs" / "table.md", "")
