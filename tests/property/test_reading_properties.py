import gzip
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cfbench.data.dataset import Origin
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import assembled, content_checksum, positions_of
from cfbench.model.ratings import RatingScale

# Ids as files have them: digits with leading zeros, words, letters beyond ASCII; no separator, quote, colon or blank.
ids = st.one_of(
    st.integers(0, 999).map(str),
    st.integers(0, 99).map(lambda n: f"{n:04d}"),
    st.text("aZéЖ中0", min_size=1, max_size=6),
)
rows = st.tuples(ids, ids, st.sampled_from([1.0, 2.5, 3.0, 4.5, 5.0]), st.integers(0, 2_000_000_000))
tables = st.lists(rows, min_size=1, max_size=40)


def read(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.txt"
        path.write_bytes(content)
        return read_ratings(path)


def text(table, sep, header):
    lines = [sep.join(map(str, row)) for row in table]
    return "\n".join([sep.join(["user", "item", "rating", "timestamp"]), *lines] if header else lines).encode()


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from([",", "\t", "::", ";", "|"]), st.booleans(), st.booleans())
def test_what_was_written_is_what_is_read(table, sep, header, zipped):
    content = text(table, sep, header)
    raw = read(gzip.compress(content) if zipped else content)
    users, items, ratings, times = zip(*table, strict=True)
    assert raw.users.labels[raw.users.index].tolist() == list(users)
    assert raw.items.labels[raw.items.index].tolist() == list(items)
    assert raw.ratings.tolist() == list(ratings)
    assert raw.timestamps.tolist() == list(times)


@settings(max_examples=40, deadline=None)
@given(tables)
def test_entities_stand_in_order_of_first_appearance_and_rows_point_to_them(table):
    raw = read(text(table, ",", True))
    data = assembled("t", raw, scale=RatingScale(1, 5), relevant_from=4, origin=Origin("", ""))
    users, items = [row[0] for row in table], [row[1] for row in table]
    assert data.users.ids.tolist() == list(dict.fromkeys(users))
    assert data.items.ids.tolist() == list(dict.fromkeys(items))
    assert data.users.ids[data.user_index].tolist() == users
    assert data.items.ids[data.item_index].tolist() == items


@settings(max_examples=40, deadline=None)
@given(tables, st.sampled_from([",", "::"]))
def test_the_content_checksum_does_not_depend_on_the_file_format(table, sep):
    assert content_checksum(read(text(table, sep, False))) == content_checksum(read(text(table, "\t", True)))


@given(st.lists(ids, unique=True, max_size=20), st.lists(ids, max_size=20))
def test_positions_point_to_the_same_id_or_say_that_it_is_missing(table, wanted):
    found = positions_of(np.array(wanted, dtype=np.str_), np.array(table, dtype=np.str_))
    assert found.tolist() == [table.index(id_) if id_ in table else -1 for id_ in wanted]
