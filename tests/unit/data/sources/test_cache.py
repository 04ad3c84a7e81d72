import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.sources.cache import cached
from cfbench.data.sources.source import Storage
from cfbench.model.ratings import RatingScale


@dataclass(frozen=True)
class Source:
    flavour: str = "plain"
    sizes: tuple[int, ...] = (1, 2)


def dataset():
    return Dataset(
        name="tiny",
        users=Entities(np.array(["u1", "u2"]), {"age": np.array([20.0, np.nan], dtype=np.float32)}),
        items=Entities(np.array(["001", "é"]), {"title": np.array(["A film", ""])}),
        user_index=np.array([0, 1, 1], dtype=np.int32),
        item_index=np.array([0, 0, 1], dtype=np.int32),
        ratings=np.array([1, 2, 5], dtype=np.float32),
        timestamps=np.array([3, 2, 1], dtype=np.int64),
        scale=RatingScale(1, 5),
        relevant_from=4.0,
        origin=Origin("MIT", "Someone", "https://example.org"),
        folds={"u1": PublishedFold(np.array([2, 0]), np.array([1]))},
    )


class Counting:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return dataset()


@pytest.fixture
def storage(tmp_path):
    return Storage(None, tmp_path / "cache")


@pytest.fixture
def build():
    return Counting()


def entry_of(storage):
    (entry,) = (storage.cache_dir / "parsed").iterdir()
    return entry


def test_what_comes_back_is_what_was_built(storage, build):
    cached(Source(), storage, (), build)
    again = cached(Source(), storage, (), build)
    assert build.calls == 1
    expected = dataset()
    for name in ("user_index", "item_index", "ratings", "timestamps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(expected, name))
        assert getattr(again, name).dtype == getattr(expected, name).dtype
        assert not getattr(again, name).flags.writeable
    assert again.users.ids.tolist() == ["u1", "u2"]
    assert again.items.ids.tolist() == ["001", "é"]
    np.testing.assert_array_equal(again.users.columns["age"], expected.users.columns["age"])
    assert again.items.columns["title"].tolist() == ["A film", ""]
    assert again.folds["u1"].train_rows.tolist() == [2, 0]
    assert (again.name, again.scale, again.relevant_from, again.origin) == (
        expected.name, expected.scale, expected.relevant_from, expected.origin,
    )  # fmt: skip


def test_the_fingerprint_is_remembered_and_true(storage, build):
    cached(Source(), storage, (), build)
    again = cached(Source(), storage, (), build)
    assert again.__dict__["fingerprint"] == dataset().fingerprint


def test_other_parameters_are_another_entry(storage, build):
    cached(Source(), storage, (), build)
    cached(Source("sweet"), storage, (), build)
    assert build.calls == 2
    assert len(list((storage.cache_dir / "parsed").iterdir())) == 2


def test_a_changed_input_replaces_its_entry(storage, build, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("1")
    cached(Source(), storage, [path], build)
    path.write_text("12")
    cached(Source(), storage, [path], build)
    cached(Source(), storage, [path], build)
    assert build.calls == 2
    entry_of(storage)


def test_an_input_that_appears_later_counts_as_a_change(storage, build, tmp_path):
    path = tmp_path / "later.csv"
    cached(Source(), storage, [path], build)
    path.write_text("1")
    cached(Source(), storage, [path], build)
    assert build.calls == 2


@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "meta", "foreign", "pickle"])
def test_a_damaged_entry_is_rebuilt(storage, build, damage):
    cached(Source(), storage, (), build)
    entry = entry_of(storage)
    meta, column = entry / "meta.json", entry / "2.npy"
    if damage == "bit":
        content = bytearray(column.read_bytes())
        content[-1] ^= 1
        column.write_bytes(content)
    elif damage == "cut":
        column.write_bytes(column.read_bytes()[:-4])
    elif damage == "gone":
        column.unlink()
    elif damage == "meta":
        meta.write_text("{")
    elif damage == "foreign":
        meta.write_text(json.dumps({"hello": 1}))
    else:
        np.save(column, np.array([{}], dtype=object), allow_pickle=True)
    again = cached(Source(), storage, (), build)
    assert build.calls == 2
    assert again.ratings.tolist() == [1, 2, 5]
    cached(Source(), storage, (), build)
    assert build.calls == 2


def test_another_schema_version_is_rebuilt(storage, build, monkeypatch):
    cached(Source(), storage, (), build)
    monkeypatch.setattr("cfbench.data.sources.cache.SCHEMA", 99)
    cached(Source(), storage, (), build)
    assert build.calls == 2


def test_a_failed_build_leaves_nothing_behind(storage):
    def fail():
        raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        cached(Source(), storage, (), fail)
    assert not storage.cache_dir.exists()


def test_a_cache_that_cannot_be_written_costs_a_message_not_the_data(storage, build, caplog):
    storage.cache_dir.write_text("a file, not a folder")
    assert len(cached(Source(), storage, (), build)) == 3
    assert "not cached" in caplog.text


def test_no_half_written_folder_remains(storage, build, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("cfbench.data.sources.cache.np.save", full)
    assert len(cached(Source(), storage, (), build)) == 3
    assert list((storage.cache_dir / "parsed").iterdir()) == []


def test_what_a_killed_process_left_goes_also_where_the_data_are_there(storage, build):
    cached(Source(), storage, (), build)
    replaced = storage.cache_dir / "parsed" / ".new-deadbeef" / "old"
    replaced.mkdir(parents=True)
    (replaced / "2.npy").touch()
    cached(Source(), storage, (), build)
    assert build.calls == 1
    entry_of(storage)


def test_losing_a_race_keeps_the_winners_entry(storage, tmp_path):
    def build_while_another_finishes():
        cached(Source(), storage, (), dataset)
        return dataset()

    cached(Source(), storage, (), build_while_another_finishes)
    cached(Source(), storage, (), lambda: pytest.fail("nothing was kept"))
    entry_of(storage)


KEEPS = """
import os, sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.model.ratings import RatingScale
from cfbench.data.sources import cache
from cfbench.data.sources.source import Storage

@dataclass(frozen=True)
class Source:
    pass

left = int(sys.argv[2])

def dying(call):
    def called(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return call(*arguments, **named)
    return called

def build():
    codes, ratings = np.zeros(3, dtype=np.int32), np.array([1, 2, 5], dtype=np.float32)
    ids = Entities(np.array(["a"]), {})
    return Dataset("d", ids, ids, codes, codes, ratings, None, RatingScale(1, 5), 4.0, Origin("", ""), {})

def fail():
    raise AssertionError("not kept")

storage, inputs = Storage(None, Path(sys.argv[1])), [Path(sys.argv[3])]
cache._AT_ONCE = 1  # so that the steps come in one order
for name in ("open", "mkdir", "fsync", "rename", "unlink", "rmdir"):
    setattr(os, name, dying(getattr(os, name)))
told = cache.cached(Source(), storage, inputs, build)
assert told.ratings.tolist() == [1, 2, 5]
cache.cached(Source(), storage, inputs, fail)
"""


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_whichever_step_a_process_is_killed_at_the_next_one_keeps_the_data_and_nothing_else(tmp_path, every):
    rows, home, step, code = tmp_path / "rows.csv", tmp_path / "cache", 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        for left in (step, 1_000_000):
            rows.write_text("1" * (2 * step + (left > step) + 1))  # other data: what is kept has to be replaced
            command = [sys.executable, "-c", KEEPS, home, str(left), rows]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            code = done.returncode if left == step else code
            assert "not kept" not in done.stderr
        assert done.returncode == 0, done.stderr
        assert len(list((home / "parsed").iterdir())) == 1
        step += every
    assert code == 0
    assert step > 10


@pytest.mark.parametrize("replace", [shutil.copyfile, shutil.move])
def test_a_copy_with_the_size_and_the_time_of_what_it_replaces_is_read(storage, build, tmp_path, replace):
    path, copy = tmp_path / "ratings.csv", tmp_path / "copy.csv"
    path.write_text("1,1,5")
    cached(Source(), storage, [path], build)
    copy.write_text("1,1,1")
    times = path.stat()
    replace(copy, path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    cached(Source(), storage, [path], build)
    assert build.calls == 2
    path.touch()  # the same content, whatever the times are
    cached(Source(), storage, [path], build)
    assert build.calls == 2


def test_what_was_read_while_it_was_written_is_not_kept(storage, tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("1,1,5")

    def build():
        path.write_text("1,1,1")
        return dataset()

    assert cached(Source(), storage, [path], build).name == "tiny"
    assert not (storage.cache_dir / "parsed").exists()
