"""Files arrive as they were sent, whatever their sizes, and archives from elsewhere cannot lead elsewhere."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfbench_dask import file_transfer as module
from cfbench_dask.file_transfer import pack, piece_of, unpack


def write(root: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(contents=st.dictionaries(st.sampled_from(["a", "b", "sub/c", "sub/d"]), st.binary(max_size=40)))
def test_every_file_arrives_in_pieces_of_bounded_size(contents, tmp_path_factory):
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    sent, arrived = source.with_suffix(".zip"), target.with_suffix(".zip")
    size = pack(sent, {"": write(source, contents)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 7)
        pieces = [piece_of(sent, position) for position in range(0, size, 7)]
    arrived.write_bytes(b"".join(pieces))
    assert sorted(unpack(arrived, target)) == sorted(contents)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == set(contents)
    assert all((target / name).read_bytes() == content for name, content in contents.items())
    assert sum(map(len, pieces)) == size
    assert all(len(piece) == 7 for piece in pieces[:-1])


def test_files_and_folders_are_packed_by_their_names_and_what_is_not_there_is_left_out(tmp_path):
    source = write(tmp_path / "source", {"a": b"1", "sub/b": b"2", "other/c": b"3"})
    pack(tmp_path / "z", {"sub": source / "sub", "log": source / "a", "none": source / "none"})
    assert sorted(unpack(tmp_path / "z", tmp_path / "target")) == ["log", "sub/b"]


@pytest.mark.parametrize("altered", [b"1235", b"", None])
def test_what_was_altered_on_the_way_is_refused(tmp_path, altered):
    pack(tmp_path / "z", {"": write(tmp_path / "source", {"a": b"1234"})})
    sent = (tmp_path / "z").read_bytes()
    (tmp_path / "z").write_bytes(sent[:-5] if altered is None else sent.replace(b"1234", altered))
    with pytest.raises(ValueError, match="arrived damaged"):
        unpack(tmp_path / "z", tmp_path / "target")


def test_links_are_not_sent(tmp_path):
    source = write(tmp_path / "source", {"a": b"1234"})
    (source / "secret").symlink_to("/etc/hostname")
    (source / "folder").symlink_to("/etc")
    pack(tmp_path / "z", {"": source, "secret": source / "secret", "folder": source / "folder"})
    assert unpack(tmp_path / "z", tmp_path / "target") == ["a"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [
        ["../a"],
        ["/etc/a"],
        ["a/../../b"],
        ["."],
        ["\1b"],  # which becomes NUL, where names end
        ["%2e%2e/a"],
        ["a%00b"],
        ["a", "a"],
        ["a", "./a"],
        ["a", "a/b"],
        ["a/b", "a"],
    ],
)
def test_an_archive_that_leads_elsewhere_is_refused(names, tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w") as file:
        for name in names:
            file.writestr(name, b"1")
    (tmp_path / "z").write_bytes((tmp_path / "z").read_bytes().replace(b"\1b", b"\0b"))
    with pytest.raises(ValueError, match="whose files cannot lie in one folder"):
        unpack(tmp_path / "z", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_name_that_no_file_system_takes_is_damage_and_not_a_full_disk(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w") as file:
        file.writestr("a" * 300, b"1")
    with pytest.raises(ValueError, match="arrived damaged"):
        unpack(tmp_path / "z", tmp_path / "target")


def test_names_that_are_no_text_arrive(tmp_path):
    (tmp_path / "source").mkdir()
    name = os.fsdecode(b"caf\xe9 100%20")
    (tmp_path / "source" / name).write_bytes(b"1")
    pack(tmp_path / "z", {"": tmp_path / "source"})
    assert unpack(tmp_path / "z", tmp_path / "target") == [name]
    assert (tmp_path / "target" / name).read_bytes() == b"1"


def test_an_archive_that_would_become_larger_than_it_is_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb", bytes(1 << 20))
    with pytest.raises(ValueError, match="claims more than was sent"):
        unpack(tmp_path / "z", tmp_path / "target")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_any_bytes_are_an_archive_or_refused(position, value, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    pack(folder / "z", {"": write(folder / "source", {"a": b"1234", "sub/b": b"56"})})
    sent = bytearray((folder / "z").read_bytes())
    sent[position % len(sent)] = value
    (folder / "z").write_bytes(sent[: len(sent) - cut // 50])
    with suppress(ValueError):
        unpack(folder / "z", folder / "target")
    assert {path.name for path in folder.iterdir()} <= {"z", "source", "target"}
