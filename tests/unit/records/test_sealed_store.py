"""A cell's files are sealed: what was altered, swapped, unsealed or linked elsewhere is told and never trusted."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.inference.output import ModelOutput
from cfbench.records.cell import Cell
from cfbench.records.record import Figure, Record
from cfbench.records.store import RunFolder

CELL = Cell("d", "s", "", "f" * 64, "m", {}, "x", "1", "c", 0, 0, list_length=2)
RECORD = Record(CELL, "ok", metrics={"RMSE": Figure(0.9)})
ANSWERS = ModelOutput(np.array([1.5], dtype=np.float32), None)


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.save(RECORD, ANSWERS)
    return made


def file_of(folder, cell=CELL):
    return folder.path / "cells" / f"{cell.key}.json"


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text.replace("0.9", "0.8"),
        lambda text: text.replace(" ", ""),
        lambda text: text + "\n",
        lambda text: re.sub(r' "seal": "\w+",\n', "", text),
        lambda text: text.replace("seal", "xeal"),
        lambda text: json.dumps(json.loads(text)),
    ],
    ids=["figure", "blanks", "appended", "unsealed", "renamed", "rewritten"],
)
def test_a_record_edited_by_hand_is_refused(folder, alter):
    path = file_of(folder)
    text = path.read_text()
    path.write_text(alter(text))
    assert path.read_text() != text
    with pytest.raises(StoreError, match="is not as it was sealed"):
        folder.load(CELL)


def test_files_of_two_cells_that_were_swapped_are_refused(folder):
    other = replace(CELL, repeat=1)
    folder.save(replace(RECORD, cell=other), ANSWERS)
    first, second = file_of(folder), file_of(folder, other)
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    for cell in (CELL, other):
        with pytest.raises(StoreError, match="belongs to another cell"):
            folder.load(cell)
    notes = []
    assert folder.all_records(notes.append) == []
    assert len(notes) == 2


def test_records_that_are_passed_over_are_told_and_the_others_read(folder):
    torn = replace(CELL, repeat=1)
    folder.save(replace(RECORD, cell=torn), ANSWERS)
    file_of(folder, torn).write_bytes(file_of(folder, torn).read_bytes()[:100])
    notes = []
    (found,) = folder.all_records(notes.append)
    assert found.cell.key == CELL.key
    (note,) = notes
    assert str(file_of(folder, torn)) in note
    assert note.endswith("passed over")


def test_a_failed_cell_needs_no_answers(folder):
    failed = replace(CELL, repeat=2)
    folder.save(Record(failed, "failed", "why"), None)
    assert folder.load(failed) == (Record(failed, "failed", "why"), None)


def test_links_in_place_of_files_are_replaced_and_not_written_through(folder, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (printed := tmp_path / "printed").write_text("said")
    (folder.path / "logs").mkdir()
    places = [file_of(folder), file_of(folder).with_suffix(".npz"), folder.suite_path, folder.records_path]
    for place in [*places, folder.path / "logs" / f"{CELL.key}.log"]:
        place.unlink(missing_ok=True)
        place.symlink_to(victim)
    folder.save(RECORD, ANSWERS)
    folder.save_suite("{}")
    folder.write_lines([RECORD])
    folder.keep_log(CELL, printed)
    assert victim.read_text() == "precious"
    assert not any(place.is_symlink() for place in places)
    assert (folder.path / "logs" / f"{CELL.key}.log").read_text() == "said"


def test_a_folder_that_is_a_link_out_is_not_written_through(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("cells", "logs"):
        place = folder.path / name
        if place.exists():
            place.rename(tmp_path / f"{name}-moved")
        place.symlink_to(outside)
    for write in (
        lambda: folder.save(RECORD, ANSWERS),
        lambda: folder.keep_log(CELL, tmp_path / "gone"),
        folder.clear_leftovers,
    ):
        with pytest.raises(StoreError, match="is a link that leads out of"):
            write()
    assert not list(outside.iterdir())
