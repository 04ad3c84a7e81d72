"""Files arrive as they were sent, whatever their sizes, and descriptions from elsewhere cannot lead elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfbench_dask import file_transfer as module
from cfbench_dask.file_transfer import FileTransfer


def write(root: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def sent(transfer: FileTransfer, source: Path, target: Path) -> list[int]:
    """Send all pieces; return their sizes."""
    transfer.create(target)
    sizes, position = [], 0
    while position < transfer.size:
        piece = transfer.read(source, position)
        transfer.write(target, position, piece)
        position += len(piece)
        sizes.append(len(piece))
    return sizes


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(contents=st.dictionaries(st.sampled_from(["a", "b", "sub/c", "sub/d"]), st.binary(max_size=40)))
def test_every_file_arrives_in_pieces_of_bounded_size(contents, tmp_path_factory):
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 7)
        transfer = FileTransfer.from_json(FileTransfer.of(write(source, contents)).to_json())
        sizes = sent(transfer, source, target)
    assert transfer.intact(target)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == set(contents)
    assert all((target / name).read_bytes() == content for name, content in contents.items())
    assert sum(sizes) == sum(map(len, contents.values()))
    assert all(size == 7 for size in sizes[:-1])


def test_what_was_altered_on_the_way_is_not_intact(tmp_path):
    source = write(tmp_path / "source", {"a": b"1234"})
    transfer = FileTransfer.of(source)
    sent(transfer, source, tmp_path / "target")
    (tmp_path / "target" / "a").write_bytes(b"1235")
    assert not transfer.intact(tmp_path / "target")


def test_links_are_not_sent(tmp_path):
    source = write(tmp_path / "source", {"a": b"1234"})
    (source / "secret").symlink_to("/etc/hostname")
    assert FileTransfer.of(source).files == (("a", 4),)


@pytest.mark.parametrize(
    "files",
    [
        [["../a", 1]],
        [["/etc/a", 1]],
        [["a/../../b", 1]],
        [["", 1]],
        [["a\0b", 1]],
        [["a", -1]],
        [["a", 1], ["a", 1]],
        [["a", 1], ["a/b", 1]],
        [["a"]],
        [["a", "many"]],
        7,
        None,
    ],
)
def test_a_list_of_files_that_leads_elsewhere_is_refused(files):
    with pytest.raises(ValueError, match=r"a list of files that|no list of files"):
        FileTransfer.from_json({"files": files, "digest": "0"})
