import errno
import hashlib
import io
import os
import stat
import tempfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cfbench.data.sources.download import Archive, fetch, kept_at
from cfbench.data.sources.movielens import ML_1M, ML_100K, ML_LATEST_SMALL
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError, DataNotFoundError

GOOD = {"tiny/ratings.csv": b"a,x,1\nb,y,2\n", "tiny/sub/more.txt": b"more"}


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A web server on the loopback device; yields (its folder, its address)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "www"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def storage(tmp_path):
    return Storage(None, tmp_path / "cache")


def archive(*urls, sha256=None):
    return Archive("tiny", urls, sha256, 1, "https://example.org/tiny")


def accept(_folder):
    pass


def leftovers(storage):
    return sorted(path.name for path in (storage.cache_dir / "downloads").iterdir())


def test_a_good_archive_is_unpacked_into_the_cache_and_fetched_once(host, storage):
    folder, address = host
    content = zipped(GOOD)
    (folder / "tiny.zip").write_bytes(content)
    wanted = archive(f"{address}/tiny.zip", sha256=hashlib.sha256(content).hexdigest())
    place = fetch(wanted, storage, accept)
    assert place == kept_at(wanted, storage)
    assert (place / "ratings.csv").read_bytes() == GOOD["tiny/ratings.csv"]
    assert (place / "sub" / "more.txt").read_bytes() == b"more"
    (folder / "tiny.zip").unlink()
    assert fetch(wanted, storage, accept) == place
    assert leftovers(storage) == ["tiny"]


def test_what_a_killed_download_left_goes_with_the_next_one(host, storage):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped(GOOD))
    abandoned = storage.cache_dir / "downloads" / ".new-deadbeef"
    (abandoned / "download" / "content" / "tiny").mkdir(parents=True)
    for name in ("owner.lock", "download/archive.zip", "download/content/tiny/ratings.csv"):
        (abandoned / name).touch()
    fetch(archive(f"{address}/tiny.zip"), storage, accept)
    assert leftovers(storage) == ["tiny"]


def test_files_are_on_the_disk_before_their_folder_is_in_place(host, storage, monkeypatch):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped(GOOD))
    flush, flushed = os.fsync, {}

    def remembered(descriptor):
        flush(descriptor)
        state = os.fstat(descriptor)
        flushed[state.st_ino] = state.st_size

    monkeypatch.setattr(os, "fsync", remembered)
    place = fetch(archive(f"{address}/tiny.zip"), storage, accept)
    files = [path.stat() for path in place.rglob("*") if path.is_file()]
    assert {state.st_ino: state.st_size for state in files} == flushed


def test_a_cache_that_cannot_be_written_is_told_with_what_to_do_by_hand(host, storage, monkeypatch):
    def read_only(**_where):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    with pytest.raises(DataNotFoundError, match=r"Read-only file system\nDownload it from https://example.org/tiny"):
        fetch(archive(f"{host[1]}/tiny.zip"), storage, accept)


def test_an_archive_without_a_top_folder_is_taken_as_it_is(host, storage):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped({"ratings.csv": b"1", "movies.csv": b"2"}))
    assert (fetch(archive(f"{address}/tiny.zip"), storage, accept) / "movies.csv").read_bytes() == b"2"


def test_a_wrong_checksum_keeps_nothing_and_names_both_sums(host, storage):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped(GOOD))
    with pytest.raises(DataNotFoundError, match=f"expected {'0' * 64} but got [0-9a-f]{{64}}"):
        fetch(archive(f"{address}/tiny.zip", sha256="0" * 64), storage, accept)
    assert leftovers(storage) == []


def test_the_next_mirror_stands_in_for_a_host_that_is_down_or_lacks_the_file(host, storage, caplog):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped(GOOD))
    urls = ("http://127.0.0.1:9/tiny.zip", f"{address}/gone.zip", f"{address}/tiny.zip")
    assert (fetch(archive(*urls), storage, accept) / "ratings.csv").is_file()
    assert caplog.text.count("download failed") == 2
    assert leftovers(storage) == ["tiny"]


def test_when_every_host_fails_the_message_says_what_to_do_by_hand_once(host, storage, caplog):
    _, address = host
    with pytest.raises(DataNotFoundError) as caught:
        fetch(archive("http://127.0.0.1:9/tiny.zip", f"{address}/gone.zip"), storage, accept)
    message = str(caught.value)
    assert caplog.text == ""
    assert "Connection refused" in message
    assert "HTTPConnection" not in message
    assert "http://127.0.0.1:9/tiny.zip" in message
    assert "404" in message
    assert "https://example.org/tiny" in message
    assert "CFBENCH_DATA" in message
    assert str(kept_at(archive(), storage)) in message


@pytest.mark.parametrize("member", ["../evil.txt", "/evil.txt", "tiny/../../evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_an_archive_that_would_leave_its_folder_is_refused_whole(host, storage, tmp_path, member):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped({**GOOD, member: b"evil"}))
    with pytest.raises(DataNotFoundError, match="member outside its folder"):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)
    assert leftovers(storage) == []
    assert not list(tmp_path.rglob("evil.txt"))


def test_links_in_an_archive_are_refused(host, storage):
    folder, address = host
    link = zipfile.ZipInfo("tiny/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        content.writestr(link, "/etc/passwd")
    (folder / "tiny.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DataNotFoundError, match="no plain file"):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)


def special(mode):
    member = zipfile.ZipInfo("tiny/device")
    member.external_attr = (mode | 0o666) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        content.writestr(member, b"")
    return buffer.getvalue()


def packed(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as content:
        content.writestr("tiny/ratings.csv", b"1" * 1000)
    return buffer.getvalue()


GOOD_ZIP = zipped(GOOD)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (special(stat.S_IFIFO), "no plain file"),
        (special(stat.S_IFCHR), "no plain file"),
        (packed(zipfile.ZIP_LZMA), "packed in an unusual way"),
        (packed(zipfile.ZIP_BZIP2), "packed in an unusual way"),
        (zipped({"tiny/a\x1b[31m": b"x"}), "control characters"),
        (zipped({".": b"x"}), "outside its folder"),
        (zipped({f"tiny/{number}": b"" for number in range(10_001)}), "10,001 members"),
        (GOOD_ZIP[:-30], "not a zip file"),
        (GOOD_ZIP.replace(b"a,x,1", b"b,x,1"), "Bad CRC-32"),
        (GOOD_ZIP[:60] + b"\xff" * 10 + GOOD_ZIP[70:], "the archive is damaged"),
    ],
    ids=["pipe", "device", "lzma", "bzip2", "escape", "dot", "many", "torn", "checksum", "headers"],
)
def test_an_archive_that_is_odd_or_damaged_is_refused(host, storage, content, complaint):
    folder, address = host
    (folder / "tiny.zip").write_bytes(content)
    with pytest.raises(DataNotFoundError, match=complaint):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)
    assert leftovers(storage) == []


def test_an_archive_that_unpacks_to_far_more_than_expected_is_refused_before_it_does(host, storage):
    folder, address = host
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as content, content.open("tiny/zeros", "w") as member:
        for _ in range(400):
            member.write(bytes(1_000_000))
    (folder / "tiny.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DataNotFoundError, match="would unpack to 400,000,000 bytes"):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)
    assert leftovers(storage) == []


def test_a_download_larger_than_expected_is_ended(host, storage):
    folder, address = host
    with (folder / "tiny.zip").open("wb") as file:
        file.truncate(13_000_000)
    with pytest.raises(DataNotFoundError, match="larger than it should be"):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)
    assert leftovers(storage) == []


@pytest.mark.parametrize("url", ["http://example.org/t.zip", "ftp://127.0.0.1/t.zip", "file:///etc/passwd", "t.zip"])
def test_nothing_but_https_is_downloaded_from(storage, url):
    with pytest.raises(DataNotFoundError, match="is not https"):
        fetch(archive(url), storage, accept)


@pytest.mark.parametrize("target", ["http://example.org/t.zip", "ftp://127.0.0.1/t.zip", "file:///etc/passwd"])
def test_a_redirect_to_anything_but_https_is_refused(storage, monkeypatch, target):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Redirecting(SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(DataNotFoundError, match=f"'{target}' is not https"):
                fetch(archive(f"http://127.0.0.1:{server.server_port}/t.zip"), storage, accept)
        finally:
            server.shutdown()
            thread.join()


def test_every_published_edition_is_downloaded_by_https_alone():
    for edition in (ML_100K, ML_1M, *ML_LATEST_SMALL.values()):
        assert all(url.startswith("https://") for url in edition.urls)


def test_a_page_instead_of_an_archive_is_a_failed_download(host, storage):
    folder, address = host
    (folder / "tiny.zip").write_text("<html>moved</html>")
    with pytest.raises(DataNotFoundError, match="not a zip file"):
        fetch(archive(f"{address}/tiny.zip"), storage, accept)


def test_content_that_the_check_refuses_is_not_kept(host, storage):
    folder, address = host
    (folder / "tiny.zip").write_bytes(zipped(GOOD))

    def refuse(unpacked):
        assert (unpacked / "ratings.csv").is_file()
        raise DataError("other ratings")

    with pytest.raises(DataNotFoundError, match="other ratings"):
        fetch(archive(f"{address}/tiny.zip"), storage, refuse)
    assert leftovers(storage) == []


def test_without_permission_nothing_is_downloaded(tmp_path):
    storage = Storage(None, tmp_path / "cache", may_download=False)
    with pytest.raises(DataNotFoundError, match="downloads are off"):
        fetch(archive("http://127.0.0.1:9/tiny.zip"), storage, accept)
    assert not storage.cache_dir.exists()
