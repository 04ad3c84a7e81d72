"""Records on the disk: written whole, read back equal, never trusted when damaged."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.files.atomic import replacing, write_text
from cfbench.inference.output import ModelOutput
from cfbench.records.cell import Cell
from cfbench.records.record import Comparison, Epoch, Figure, MissingMetric, Record, StrataTable
from cfbench.records.store import RunFolder, read_lines
from cfbench.resources.cost import Cost

CELL = Cell(
    dataset="d", split="holdout", fold="", split_fingerprint="f" * 64, model="dot[n_factors=5]",
    params={"n_factors": 5, "layers": (1, 2)}, distribution="x", version="1", code="c", base_seed=0, repeat=0,
    list_length=10,
)  # fmt: skip
RECORD = Record(
    cell=CELL,
    status="ok",
    metrics={"RMSE": Figure(0.9, 0.8, 1.0, 5), "NDCG@10": Figure(None)},
    tables={"cold-users": StrataTable({"0": {"RMSE": Figure(None), "n": Figure(0.0)}}, {"fallback": 3.5})},
    missing={"x": MissingMetric("not-applicable", "why")},
    cost=Cost({"fit": 1.5}, {"fit": 1.4}, 1000, "cpu"),
    losses=(Epoch(1, 0.5, None),),
    fallback=3.5,
)
ANSWERS = ModelOutput(np.array([1.5, np.nan], dtype=np.float32), np.array([[0, 1]], dtype=np.int32))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_record_and_its_answers_read_back_equal(folder):
    folder.save(RECORD, ANSWERS)
    record, answers = folder.load(CELL)
    assert record.metrics == RECORD.metrics
    assert record.tables["cold-users"].rows == {"0": {"RMSE": Figure(None), "n": Figure(0.0)}}
    assert record.losses == RECORD.losses
    assert record.cell.key == CELL.key
    assert np.array_equal(answers.predictions, ANSWERS.predictions, equal_nan=True)
    assert np.array_equal(answers.lists, ANSWERS.lists)


def test_all_raw_answers_read_back_with_their_types(folder):
    more = {
        "score_means": np.array([[1.5, np.nan]], dtype=np.float32),
        "item_factors": np.zeros((2, 3), dtype=np.float32),
        "train_rows": np.array([0, 7], dtype=np.int64),
        "train_predictions": np.array([2.5, np.nan], dtype=np.float32),
        "rating_range": np.array([0.5, 5.5]),
    }
    folder.save(RECORD, replace(ANSWERS, **more))
    arrays = folder.load(CELL)[1].arrays()
    assert arrays.keys() == {"predictions", "lists", *more}
    for name, array in more.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_a_pure_rankers_answers_have_no_predictions(folder):
    folder.save(RECORD, ModelOutput(None, ANSWERS.lists))
    assert folder.load(CELL)[1].predictions is None


def test_a_cell_that_was_never_run_is_none(folder):
    assert folder.load(CELL) is None


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"", lambda data: b"\0" * len(data)])
@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_a_torn_or_overwritten_file_is_detected(folder, suffix, damage):
    folder.save(RECORD, ANSWERS)
    path = folder.path / "cells" / f"{CELL.key}.{suffix}"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match=CELL.key):
        folder.load(CELL)


def test_answers_of_another_fit_are_detected(folder):
    folder.save(RECORD, ANSWERS)
    path = folder.path / "cells" / f"{CELL.key}.npz"
    other = RunFolder(folder.path / "other")
    other.save(RECORD, ModelOutput(ANSWERS.predictions + 1, ANSWERS.lists))
    path.write_bytes((other.path / "cells" / path.name).read_bytes())
    with pytest.raises(StoreError, match="another sha256"):
        folder.load(CELL)


def test_a_record_under_another_cells_key_is_detected(folder):
    folder.save(RECORD, ANSWERS)
    other = replace(CELL, base_seed=1)
    for suffix in ("json", "npz"):
        source = folder.path / "cells" / f"{CELL.key}.{suffix}"
        source.rename(source.with_name(f"{other.key}.{suffix}"))
    with pytest.raises(StoreError, match="another cell"):
        folder.load(other)


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"n_factors": 6, "layers": (1, 2)}},
        {"split_fingerprint": "e" * 64},
        {"version": "2"},
        {"code": "d"},
        {"base_seed": 1},
        {"repeat": 1},
        {"list_length": 20},
        {"threads": 2},
        {"device": "cuda"},
        {"model": "nn"},
    ],
)
def test_whatever_can_change_answers_changes_the_key(change):
    assert replace(CELL, **change).key != CELL.key


@pytest.mark.parametrize("change", [{"dataset": "renamed"}, {"model": "dot[layers=[1,2]]"}])
def test_what_cannot_change_answers_keeps_the_key(change):
    assert replace(CELL, **change).key == CELL.key


def test_lines_of_all_kinds_read_back_equal(folder):
    comparison = Comparison("d", "holdout", "RMSE", "a", "b", 0.1, -0.1, 0.3)
    folder.write_lines([RECORD, comparison])
    record, again = read_lines(folder.records_path)
    assert record.metrics == RECORD.metrics
    assert again == comparison


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "line 2"),
        ('{"schema_version": 99, "kind": "record"}', "schema 99"),
        ('{"schema_version": 1, "kind": "other"}', "line 2"),
        ('{"schema_version": 2, "kind": "setting"}', r"written by an earlier cfbench \(schema 2, .* run again"),
        ("[1]", "line 2"),
    ],
)
def test_a_foreign_line_is_refused_with_its_number(folder, text, complaint):
    folder.write_lines([RECORD])
    with folder.records_path.open("a") as file:
        file.write(text + "\n")
    with pytest.raises(StoreError, match=complaint):
        read_lines(folder.records_path)


def test_a_cell_of_an_earlier_schema_is_refused_and_says_what_to_do(folder, monkeypatch):
    monkeypatch.setattr("cfbench.records.cell.SCHEMA", 2)
    with monkeypatch.context() as earlier:
        earlier.setattr("cfbench.records.store.SCHEMA", 2)
        folder.save(replace(RECORD, schema_version=2), ANSWERS)
    with pytest.raises(StoreError, match=r"written by an earlier cfbench \(schema 2, this one reads 3\)"):
        folder.load(CELL)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def interrupted_write():
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="use another folder"):
        write_text(tmp_path / "file" / "below", "x")


def test_records_hold_only_json(folder):
    folder.save(RECORD, ANSWERS)
    text = (folder.path / "cells" / f"{CELL.key}.json").read_text()
    assert json.loads(text)["record"]["metrics"]["NDCG@10"]["value"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "half of a character: \ud800"},
        {"cell": replace(CELL, params={"n_factors": 10**30})},
        {"cell": replace(CELL, threads=0)},
        {"schema_version": 99},
    ],
)
def test_a_record_that_could_not_be_read_back_is_never_written(folder, change):
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        folder.save(replace(RECORD, **change), ANSWERS)
    assert not folder.path.exists()


def test_bad_lines_cost_no_other_where_somebody_is_told(folder):
    folder.write_lines([RECORD, Comparison("d", "holdout", "RMSE", "a", "b", 0.1, -0.1, 0.3)])
    first, second = folder.records_path.read_bytes().splitlines()
    folder.records_path.write_bytes(b"\n".join([b"{", first, b"\xff", second, b'{"kind": "record"}', b""]))
    notes: list[str] = []
    assert [line.kind for line in read_lines(folder.records_path, notes.append)] == ["record", "comparison"]
    assert ["line 1" in notes[0], "line 3" in notes[1], "line 5" in notes[2]] == [True] * 3
    assert all("it is left out" in note for note in notes)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_a_log_that_is_no_file_is_not_kept(folder, tmp_path, kind):
    printed = tmp_path / "printed"
    {"pipe": os.mkfifo, "link": lambda path: path.symlink_to("/dev/zero"), "folder": Path.mkdir}[kind](printed)
    folder.keep_log(CELL, printed)
    assert not (folder.path / "logs").exists()


def test_answers_are_held_against_the_sizes_of_their_split_before_they_are_unpacked(folder, make_split):
    split = make_split([(0, 0, 5.0), (0, 1, 3.0), (1, 2, 4.0)], [(0, 2, 4.0), (1, 0, 2.0)])
    cell = replace(CELL, list_length=2)
    for large in (np.zeros(100_000_000, dtype=np.float32), np.zeros(3, dtype=np.float32)):
        folder.save(replace(RECORD, cell=cell), ModelOutput(large, None))
        with pytest.raises(StoreError, match=r"bytes, more than|predictions have shape"):
            folder.load(cell, lambda _: split)
