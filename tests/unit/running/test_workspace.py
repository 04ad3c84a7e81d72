"""Working folders go with their runs; those of killed runs go with the next one."""

from __future__ import annotations

import pytest

from cfbench.errors import StoreError
from cfbench.running.workspace import workspace


def test_a_workspace_lasts_as_long_as_it_is_used(tmp_path):
    with workspace(tmp_path / "here") as folder:
        assert {path.name for path in folder.iterdir()} == {"cells", "questions", "owner.lock"}
    assert not list((tmp_path / "here").iterdir())


def test_abandoned_folders_are_removed_those_in_use_and_those_of_others_are_not(tmp_path):
    abandoned, other = tmp_path / "cfbench-run-dead", tmp_path / "cfbench-run-notes"
    abandoned.mkdir()
    (abandoned / "owner.lock").touch()
    other.mkdir()
    with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert set(tmp_path.iterdir()) == {first, second, other}


def test_a_place_that_cannot_hold_one_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="--workspace"), workspace(tmp_path / "file"):
        pass
