"""Files of ratings and of entities of any content: read, or refused with an error of ours."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfbench.analysis.new_user import new_user_features, read_user_ratings
from cfbench.data.dataset import Dataset
from cfbench.data.sources import csv as delimited
from cfbench.data.sources import plain_numbers
from cfbench.data.sources.movielens import MovieLens1M, MovieLens100K, MovieLensLatestSmall
from cfbench.data.sources.ratings_file import RatingsFile, read_entities, read_ratings
from cfbench.data.sources.source import Storage
from cfbench.errors import CfbenchError, DataError, UsageError
from cfbench.model.ratings import RatingScale

FIELDS = st.one_of(
    st.integers(-2, 12).map(str),
    st.sampled_from(
        [
            "", " ", '"', '""', '"a', 'a"b', "nan", "inf", "-inf", "1e999", "1e-400", "0x10", "1_000", "9" * 40,
            "007", "\0", "é", "\ufeff", "١٢", "1e3", "1,5", "::", ":", "\t", ";", "'", "#", "rating", "user", "item",
            "timestamp", "user_id:token", "NULL", "NA", "None", "~", "\x1a", "\x85", "\u2028", "\r", "a" * 300,
        ]
    ),
    st.text(max_size=4),
)  # fmt: skip
ROWS = st.lists(st.lists(FIELDS, max_size=6), max_size=8)
SEPARATORS = st.sampled_from([",", "\t", "::", ";", "|", " "])
NEWLINES = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])
ENCODINGS = st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-16", "utf-8-sig", "utf-7", "cp037", "rot13", "idna"])
HEADERS = st.sampled_from(["", "user,item,rating,timestamp\n", "item_id:token,user_id:token,rating:float\n", "a,b\n"])


def encoded(text: str, encoding: str) -> bytes:
    with contextlib.suppress(LookupError, UnicodeError):
        return text.encode(encoding, "replace")
    return text.encode("utf-8", "replace")


def file_of(folder: str, content: bytes, name: str = "ratings.csv") -> Path:
    path = Path(folder) / name
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def small_files_too(monkeypatch):
    """Let the parser of plain numbers see files as small as these."""
    monkeypatch.setattr(plain_numbers, "_LEAST_BYTES", 0)


@settings(max_examples=150)
@given(
    rows=ROWS, sep=SEPARATORS, newline=NEWLINES, header=HEADERS, written=ENCODINGS, said=ENCODINGS,
    zipped=st.booleans(), duplicates=st.sampled_from(["error", "mean", "keep"]),
)  # fmt: skip
def test_any_table_of_ratings_is_read_or_refused(rows, sep, newline, header, written, said, zipped, duplicates):
    content = encoded(header.replace(",", sep) + newline.join(sep.join(row) for row in rows), written)
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(folder, gzip.compress(content) if zipped else content)
        with contextlib.suppress(UsageError):
            data = RatingsFile(str(path), encoding=said, duplicates=duplicates).load(Storage(None, Path(folder) / "c"))
            require_sound(data)


def require_sound(data: Dataset) -> None:
    assert len(data) >= 2
    assert np.isfinite(data.ratings).all()
    assert data.ratings.min() >= np.float32(data.scale.low)
    assert data.ratings.max() <= np.float32(data.scale.high)
    for index, entities in ((data.user_index, data.users), (data.item_index, data.items)):
        assert index.min() >= 0
        assert index.max() < len(entities)
        assert len(np.unique(entities.ids)) == len(entities)
        assert (entities.ids != "").all()


@settings(max_examples=120)
@given(st.binary(max_size=300), st.sampled_from(["ratings.csv", "r.tsv", "r.dat", "r.inter", "r.parquet", "r.csv.gz"]))
@example(gzip.compress(b"1,2,3\n2,3,4\n")[:-6], "r.csv.gz")
@example(b"\x1f\x8b" + bytes(40), "r.csv.gz")
@example(b"user,item,rating\n" + b'"' * 200_000, "ratings.csv")
@example(b"1,2,3\n" + b"a" * 300_000 + b",2,3\n", "ratings.csv")
@example(b"1,2,3\n2,1,4\n" + b"," * 100_000, "ratings.csv")
@example(b"," * 100_000, "ratings.csv")
@example(b"\xff\xfe1\x00,\x002\x00", "ratings.csv")
@example(b"PAR1" + bytes(20) + b"\xff\xff\xff\x7fPAR1", "r.parquet")
@example(b"1,2,3\n2,1,4\n\x1a", "ratings.csv")
@example(b"\r1,2,3\r\r2,1,4", "ratings.csv")
def test_any_bytes_are_ratings_or_refused(content, name):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        read_ratings(file_of(folder, content, name))


NUMBERS = st.integers(0, 30).map(str) | st.sampled_from(
    ["0", "00", "07", "3.5", ".5", "5.", "9" * 18, "9" * 20, "", "-1"]
)


@settings(max_examples=150)
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=4), min_size=1, max_size=8),
    sep=st.sampled_from([",", "\t", ";", " ", "|"]), newline=NEWLINES, header=st.booleans(), end=st.booleans(),
)  # fmt: skip
def test_the_parser_of_plain_numbers_reads_what_that_of_text_reads(rows, sep, newline, header, end):
    text = newline.join(
        ([sep.join(["user", "item", "rating", "time"])] if header else []) + [sep.join(r) for r in rows]
    )
    content = (text + (newline if end else "")).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(folder, content)
        fast = outcome(lambda: read_ratings(path))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(delimited, "parsed_numbers", lambda *_: None)
            assert outcome(lambda: read_ratings(path)) == fast


def outcome(read: Callable[[], object]) -> object:
    """What was read, in a form that can be compared, or how it was refused."""
    try:
        raw = read()
    except UsageError as error:
        return str(error)
    ids = [[*map(str, np.append(one.labels, "")[one.index])] for one in (raw.users, raw.items)]
    times = None if raw.timestamps is None else np.nan_to_num(raw.timestamps, nan=-9.0).tolist()
    return ids, np.nan_to_num(raw.ratings, nan=-9.0).tolist(), times


@settings(max_examples=120)
@given(ROWS, st.sampled_from([",", "\t"]), HEADERS, ENCODINGS, st.sampled_from(["i.csv", "i.tsv", "i.csv.gz"]))
@example([], ",", "", "utf-8", "i.csv")
@example([["a", "a"], ["1", "2"]], ",", "", "utf-8", "i.csv")
@example([["1", "9" * 400], ["2", "1e999"]], ",", "item,year\n", "utf-8", "i.csv")
def test_any_table_of_entities_is_read_or_refused(rows, sep, header, encoding, name):
    content = encoded(header + "\n".join(sep.join(row) for row in rows), "utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        found = read_entities(file_of(folder, content, name), "item", encoding)
        assert len(np.unique(found.ids)) == len(found)
        assert all(len(column) == len(found) for column in found.columns.values())


@settings(max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(["i.csv", "i.parquet", "i.csv.gz", "i.zip", "i.xz", "i.tar"]))
@example(b"", "i.csv")
@example(b"a" * 200_000, "i.csv")
@example(gzip.compress(b"item,title\n1,a\n")[:-4], "i.csv.gz")
def test_any_bytes_are_a_table_of_entities_or_refused(content, name):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        read_entities(file_of(folder, content, name), "item")


PARQUET = {
    "user": [
        ["a", "b", None],
        [1, 2, 3],
        [1.5, None, 2.0],
        [[1], [2], [3]],
        [True, False, True],
        [b"\xff", b"a", b"b"],
    ],
    "item": [["x", "y", "z"], [1.0, float("nan"), float("inf")], [2**63 - 1, 0, -5]],
    "rating": [[1.0, 2.0, 3.0], ["1", "x", "3"], [None, None, None], [float("inf"), 1.0, 2.0], [2**62, 1, 2]],
    "timestamp": [[1, 2, 3], ["now", "then", "never"], [None, 1, 2], [1e300, 1.0, 2.0]],
}


@settings(max_examples=80)
@given(st.data())
def test_any_columns_of_parquet_are_read_or_refused(data):
    pa = pytest.importorskip("pyarrow", reason="reads Parquet")
    pq = pytest.importorskip("pyarrow.parquet")
    names = data.draw(st.lists(st.sampled_from([*PARQUET, "userId", "other", ""]), min_size=1, max_size=5))
    columns = [pa.array(data.draw(st.sampled_from(PARQUET.get(name, PARQUET["user"])))) for name in names]
    table = pa.Table.from_arrays(columns, names=names)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(folder, bytes(content), "r.parquet")
        with contextlib.suppress(UsageError):
            RatingsFile(str(path)).load(Storage(None, Path(folder) / "cache"))
        with contextlib.suppress(UsageError):
            read_entities(path, "item")


FOLDERS = {MovieLens100K: "ml-100k", MovieLens1M: "ml-1m", MovieLensLatestSmall: "ml-latest-small"}
MOVIELENS = {
    MovieLens100K(verify=False): {
        "u.data": "1\t1\t5\t900000000\n2\t2\t3\t900000001\n1\t2\t4\t900000002\n",
        "u.item": "".join(f"{n}|Film {n} (1995)|d||u|{'|'.join('01' * 9 + '0')}\n" for n in (1, 2)),
        "u.user": "1|24|M|writer|85711\n2|53|F|other|94043\n",
    },
    MovieLens1M(verify=False): {
        "ratings.dat": "1::661::3::978302109\n2::661::4::978302110\n1::914::5::978302111\n",
        "movies.dat": "661::Film (1996)::Drama|War\n914::Other (1964)::Musical\n",
        "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
    },
    MovieLensLatestSmall(verify=False): {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,3,4.0,964981247\n1,3,0.5,964982224\n",
        "movies.csv": 'movieId,title,genres\n1,Film (1995),Drama\n3,"Other, The (1995)",(no genres listed)\n',
    },
}


@settings(max_examples=60)
@given(data=st.data(), source=st.sampled_from(list(MOVIELENS)))
def test_torn_and_altered_files_of_movielens_are_read_or_refused(data, source):
    files = {name: content.encode() for name, content in MOVIELENS[source].items()}
    name = data.draw(st.sampled_from(list(files)))
    start = data.draw(st.integers(0, len(files[name])))
    put = data.draw(
        st.sampled_from([b"", b"\0", b"x", b"|", b"::", b"\n", b'"', b"\xff", b"99", b"-1", b"\xef\xbb\xbf"])
    )
    files[name] = files[name][:start] + put + files[name][start + data.draw(st.sampled_from([0, 1, 5, 10_000])) :]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / (
            "ml-100k" if "u.data" in files else "ml-1m" if "users.dat" in files else "ml-latest-small"
        )
        place.mkdir()
        for one, content in files.items():
            (place / one).write_bytes(content)
        with contextlib.suppress(UsageError):
            require_sound(source.load(Storage(Path(folder), Path(folder) / "cache", may_download=False)))


class Titles:
    def find(self, text: str) -> int:
        if text not in ("a", "b"):
            raise DataError(f"no {text!r}")
        return "ab".index(text)


@settings(max_examples=80)
@given(ROWS.map(lambda rows: "\n".join(",".join(row) for row in rows)) | st.text(max_size=80))
@example("title,rating\n" + "a" * 200_000 + ",5")
@example("title,rating\na,5")
def test_any_file_of_ones_own_ratings_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        for content in (encoded(text, "utf-8"), encoded("title,rating\n" + text, "utf-8")):
            with contextlib.suppress(UsageError):
                found = read_user_ratings(file_of(folder, content), Titles(), RatingScale(1, 5))
                assert set(found) <= {0, 1}
                assert 1 <= min(found.values()) <= max(found.values()) <= 5


@given(st.text(max_size=60))
def test_any_text_of_features_is_refused_where_nothing_is_known(text):
    with pytest.raises(CfbenchError):
        new_user_features(text, None)


META = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, "../x", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, part in inside for place in places(part, (*path, key))]


@settings(max_examples=40)
@given(data=st.data(), value=META)
def test_an_altered_cache_entry_is_built_again(data, value):
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(folder, b"user,item,rating,time\na,x,1,5\nb,y,2,6\nb,x,5,7\n")
        storage = Storage(None, Path(folder) / "cache")
        source = RatingsFile(str(path))
        built = source.load(storage)
        (meta,) = storage.cache_dir.rglob("meta.json")
        told = json.loads(meta.read_text())
        kept = [one for one in places(told) if one[0] != "identity"]  # paths and times there differ from run to run
        *way, last = kept[data.draw(st.integers(0, len(kept) - 1))]
        inside = told
        for key in way:
            inside = inside[key]
        inside[last] = value
        meta.write_text(json.dumps(told))
        again = source.load(storage)
        assert again.fingerprint == built.fingerprint
        np.testing.assert_array_equal(again.ratings, built.ratings)
        np.testing.assert_array_equal(again.user_index, built.user_index)
        assert again.users.ids.tolist() == built.users.ids.tolist()


@settings(max_examples=40)
@given(data=st.data(), content=st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_a_cache_entry_with_any_file_replaced_is_built_again(data, content):
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(folder, b"user,item,rating\na,x,1\nb,y,2\nb,x,5\n")
        storage = Storage(None, Path(folder) / "cache")
        built = RatingsFile(str(path)).load(storage)
        (meta,) = storage.cache_dir.rglob("meta.json")
        name = data.draw(st.sampled_from(sorted(path.name for path in meta.parent.iterdir())))
        (meta.parent / name).write_bytes(content)
        assert RatingsFile(str(path)).load(storage).fingerprint == built.fingerprint
