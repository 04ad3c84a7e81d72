"""A run's folder of any content: read, or refused with an error of ours, and never trusted when altered."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfbench.errors import CfbenchError, StoreError
from cfbench.files.guarded_reading import read_arrays
from cfbench.inference.output import ModelOutput
from cfbench.model.saving import load_parts, save_parts
from cfbench.records.cell import Cell
from cfbench.records.kept_models import ModelFolder
from cfbench.records.record import (
    Comparison,
    Definition,
    Figure,
    Record,
    RunConditions,
    SanityWarning,
    Standing,
    StrataTable,
    Summary,
)
from cfbench.records.store import RunFolder, read_lines

CELL = Cell(
    dataset="d", split="holdout", fold="", split_fingerprint="f" * 64, model="dot[n_factors=5]",
    params={"n_factors": 5}, distribution="x", version="1", code="c", base_seed=0, repeat=0, list_length=2,
)  # fmt: skip
FIGURE = Figure(0.9, 0.8, 1.0, 5)
RECORD = Record(CELL, "ok", metrics={"RMSE": FIGURE}, warnings=(SanityWarning("few", "text"),))
ANSWERS = ModelOutput(np.array([1.5, np.nan], dtype=np.float32), np.array([[0, 1]], dtype=np.int32))
COUNTS = {"train_rows": 5.0, "test_rows": 1.0}
LINES = (
    RECORD,
    RunConditions("d", "holdout", "f" * 64, "1 to 5", 4.0, "MIT", "", 0, 1, 1, COUNTS, 3.5, 1000, "0.1"),
    Definition("RMSE", {"title": "t", "family": "accuracy"}),
    Summary("d", "holdout", "m", "x", "1", 1, 1, "", {"RMSE": FIGURE}, {"t": StrataTable({}, {})}, {}, {}, {}, 5),
    Comparison("d", "holdout", "RMSE", "a", "b", 0.1, -0.1, 0.3),
    Standing("holdout", "RMSE", ("d", "e", "f"), {"a": 1.0}, 0.5, 1.0),
)


def written(folder: str) -> tuple[RunFolder, Path, Path]:
    run = RunFolder(Path(folder) / "run")
    run.save(RECORD, ANSWERS)
    cells = run.path / "cells"
    return run, cells / f"{CELL.key}.json", cells / f"{CELL.key}.npz"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**64, -(2**63) - 1])
    | st.floats()
    | st.text(st.characters(), max_size=8)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a JSON value, as a path of keys."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, part in inside for place in places(part, (*path, key))]


def refusal(read: Callable[[], object]) -> str:
    """What a reader says in refusing; an empty text where it reads. Any other error passes through."""
    try:
        read()
    except StoreError as error:
        return str(error)
    return ""


def put(value: object, path: tuple, new: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@settings(max_examples=80)
@given(st.data())
def test_a_record_altered_in_any_bit_is_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        run, path, answers = written(folder)
        damaged = data.draw(st.sampled_from([path, answers]))
        content = bytearray(damaged.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        damaged.write_bytes(content)
        with pytest.raises(StoreError, match=damaged.name):
            run.load(CELL)


@settings(max_examples=80)
@given(st.data())
def test_a_record_cut_anywhere_is_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        run, path, answers = written(folder)
        damaged = data.draw(st.sampled_from([path, answers]))
        content = damaged.read_bytes()
        damaged.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        with pytest.raises(StoreError, match=damaged.name):
            run.load(CELL)


def sealed(content: bytes) -> bytes:
    """Do what whoever forges a record can do."""
    rest = content.removeprefix(b"{\n")
    return b'{\n "seal": "' + hashlib.sha256(rest).hexdigest().encode() + b'",\n' + rest


@settings(max_examples=80)
@given(st.data(), JSON)
def test_a_forged_record_with_any_value_anywhere_is_read_or_refused(data, value):
    with tempfile.TemporaryDirectory() as folder:
        run, path, _ = written(folder)
        content = json.loads(path.read_text())
        del content["seal"]
        put(content, data.draw(st.sampled_from(places(content))), value)
        path.write_bytes(sealed(json.dumps(content, indent=1).encode()))
        notes: list[str] = []
        for record in run.all_records(notes.append):
            assert record.cell.key == CELL.key
        told = refusal(lambda: run.load(CELL))
        assert not told or path.stem in told


@pytest.mark.parametrize(
    "content",
    [
        b'{\n "record": ' + b"[" * 100_000,
        b'{\n "record": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
        b'{\n "record": NaN}',
        b'{\n "record": {}, "record": {}}',
        b'{\n "record": ' + b"9" * 100_000 + b"}",
        b'{\n "record": "\\ud800"}',
        b'{\n\xff"record": 1}',
        b"{\n",
        b"",
    ],
    ids=["lists", "objects", "NaN", "twice", "digits", "surrogate", "bytes", "torn", "empty"],
)
def test_a_forged_record_that_readers_choke_on_is_refused(tmp_path, content):
    run, path, _ = written(str(tmp_path))
    path.write_bytes(sealed(content))
    with pytest.raises(StoreError, match=path.stem):
        run.load(CELL)
    notes: list[str] = []
    assert run.all_records(notes.append) == []
    assert path.stem in notes[0]
    assert "passed over" in notes[0]


@settings(max_examples=100)
@given(st.data(), JSON)
def test_a_line_with_any_value_anywhere_is_read_or_refused_with_its_number(data, value):
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.write_lines(LINES)
        content = [json.loads(text) for text in run.records_path.read_text().splitlines()]
        number = data.draw(st.integers(0, len(content) - 1))
        put(content[number], data.draw(st.sampled_from(places(content[number]))), value)
        run.records_path.write_text("".join(f"{json.dumps(one)}\n" for one in content))
        told = refusal(lambda: read_lines(run.records_path))
        assert not told or f"line {number + 1}" in told


@settings(max_examples=80)
@given(st.binary(max_size=120) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"kind": "record", "schema_version": 3}')
@example(b'{"schema_version": ' + b"2" * 10_000 + b"}")
@example(b"\n\n")
def test_any_line_is_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.write_bytes(content)
        told = refusal(lambda: read_lines(path))
        assert str(path) in told or content in (b"", b"\n")


def test_records_that_are_no_plain_files_are_refused(tmp_path):
    run, path, answers = written(str(tmp_path))
    answers.unlink()
    answers.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="no plain file"):
        run.load(CELL)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="no plain file"):
        run.load(CELL)
    run.records_path.mkdir()
    with pytest.raises(StoreError, match="no plain file"):
        read_lines(run.records_path)


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin-1") + b"\n"
    form = "<H" if version == b"\x01\x00" else "<I"
    return b"\x93NUMPY" + version + struct.pack(form, len(text)) + text + data


def archive(members: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


def header(descr: str = "<f4", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"


BOMB = archive({"predictions.npy": npy(header(shape=f"({1 << 24},)"), bytes(1 << 26))})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (archive({"predictions.npy": npy(header(shape="(999999999999999,)"), b"12345678")}), "not as large"),
        (archive({"predictions.npy": npy(header(shape="(9" + "9" * 40 + ",)"))}), "not as large"),
        (archive({"predictions.npy": npy(header("|O", "(1,)"), b"\x80\x04N.")}), "plain numbers"),
        (archive({"predictions.npy": npy(header("<f4"), b"123")}), "not as large"),
        (archive({"predictions.npy": npy(header("<V8"), bytes(16))}), "plain numbers"),
        (archive({"predictions.npy": npy("__import__('os').abort()")}), "plain numbers"),
        (archive({"predictions.npy": npy("-" * 5_000)}), "plain numbers"),
        (archive({"predictions.npy": npy(header("<U0"))}), "not as large"),
        (archive({"predictions.npy": npy(header(), bytes(8), b"\x09\x00")}), "no array"),
        (archive({"predictions.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\xff"}), "plain numbers"),
        (archive({"predictions.npy": b""}), "no array"),
        (archive({"../../evil.npy": npy(header(), bytes(8))}), "no array called"),
        (archive({"evil.py": b"import os"}), "no array"),
        (archive({"predictions.npy": npy(header(), bytes(8))}, zipfile.ZIP_LZMA), "packed in a way"),
        (archive({"lists.npy": npy(header(), bytes(8))}), "must be int32"),
        (BOMB, "claim"),
        (b"PK\x03\x04 no archive", "zip"),
        (b"", "zip"),
    ],
)  # fmt: skip
def test_hostile_answers_that_a_record_vouches_for_are_refused(tmp_path, monkeypatch, content, complaint):
    monkeypatch.setattr("cfbench.records.store._LARGEST_OUTPUT", 1 << 20)
    run, path, answers = written(str(tmp_path))
    told = json.loads(path.read_text())
    del told["seal"]
    told["answers_sha256"] = hashlib.sha256(content).hexdigest()
    path.write_bytes(sealed(json.dumps(told, indent=1).encode()))
    answers.write_bytes(content)
    with pytest.raises(StoreError, match=complaint):
        run.load(CELL)


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_archive_of_arrays_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        pack = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
        pack(path, a=np.arange(6.0).reshape(2, 3), b=np.array(["x", "yz"]))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        with contextlib.suppress(ValueError):
            read_arrays(path, 1 << 20)


ARRAYS = st.sampled_from(
    [
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6.0, dtype=np.float32).reshape(2, 3)),
        np.array(3.5),
        np.empty((0, 4), dtype=np.int8),
        np.array(["é", "", "long text"]),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], dtype="datetime64[s]"),
        np.arange(3, dtype=">i4"),
        np.array([b"bytes"]),
        np.float16([1.5, np.nan]),
    ]
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["a", "b", "c d", "ö"]), ARRAYS, max_size=4), st.booleans())
def test_what_numpy_wrote_is_read_to_the_bit(arrays, compressed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        found = read_arrays(path, 1 << 20)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@settings(max_examples=80)
@given(st.data(), JSON)
def test_parts_of_a_saved_model_with_any_value_anywhere_are_read_or_refused(data, value):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        save_parts(place, "test.1", {"a": np.arange(3.0)}, {"mean": 3.5, "names": ["x"]})
        path = place / "model.json"
        told = json.loads(path.read_text())
        put(told, data.draw(st.sampled_from(places(told))), value)
        path.write_text(json.dumps(told))
        try:
            _, facts = load_parts(place, "test.1")
        except StoreError:
            return
        assert facts == {"mean": 3.5, "names": ["x"]}


@settings(max_examples=100)
@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"schema_version": 1, "key": "", "files": {"' + b"a" * 100 + b'": 1}}')
def test_a_note_of_a_saved_model_of_any_content_is_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "models" / CELL.key
        place.mkdir(parents=True)
        (place / "model.json").write_bytes(content)
        models = ModelFolder(Path(folder))
        assert not models.intact(CELL)
        with pytest.raises(CfbenchError, match="refused"):
            models.load(CELL, None)
