"""Files read by the parser of numbers give what the parser of texts gives, whatever is written in them."""

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfbench.data.sources import csv as delimited
from cfbench.data.sources import plain_numbers
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import by_first_appearance
from cfbench.errors import DataError

plain = st.integers(0, 30).map(str)
odd = st.sampled_from(
    [
        "007", "00", "-1", "-0", "+1", "1e3", "1.0", "1.", ".5", ".", "", '"1"', '"', " 1", "1 ", "1\t", "x", "1/2",
        "1_0", "#1", "nan", "\u0661", "1\0", "\0", "1\x002", "1" + "\0" * 9 + "2", "3.0000001", "9" * 18,
        "0x1", "9" * 19, str(2**63), str(2**64 + 1), str(2**32 + 1),
    ]
)  # fmt: skip
field = st.one_of(plain, plain, plain, odd)
ratings = st.one_of(st.sampled_from(["1", "2.5", "0.5", "5.0"]), odd)
rows = st.lists(st.tuples(field, field, ratings, field), min_size=2, max_size=8)
whole_row = st.tuples(plain, plain, st.sampled_from(["1", "2.5"]), plain)
ragged_rows = st.lists(st.one_of(whole_row, whole_row, st.lists(field, max_size=6)), min_size=2, max_size=8)
plain_rows = st.lists(st.tuples(plain, plain, st.sampled_from(["1", "2.5", "0.5"]), plain), min_size=2, max_size=8)
ends = st.sampled_from(["\n", "\r\n", "\n\n", "\r"])


def outcome(path):
    """What comes of reading ``path``: its rows, or the error's text."""
    try:
        raw = read_ratings(path)
    except DataError as error:
        return str(error)
    columns = [ids[index].tolist() for ids, index in map(by_first_appearance, (raw.users, raw.items))]
    times = None if raw.timestamps is None else np.nan_to_num(raw.timestamps, nan=-1).tolist()
    return [*columns, np.nan_to_num(raw.ratings, nan=-1).tolist(), times, [raw.place(row) for row in range(len(raw))]]


@settings(max_examples=150, deadline=None)
@given(st.one_of(rows, plain_rows, ragged_rows), st.sampled_from([",", "\t", ";", " "]), st.booleans(), ends)
@example([("01", "1", "3", "4"), ("2", "2", "1", "5")], ",", False, "\n")  # nothing stands before the first field
@example([("1", "1", "3", "4"), ("1", "1", "3", "4", "5")], ",", True, "\n")  # a row too long
@example([("1", "1", "3", "4"), ("1", "1")], ",", True, "\n")  # and one too short
@example([("1", "1", "3", "4", "5"), ("1", "1"), ("1", "2", "3", "4")], ",", True, "\n")  # as many fields in all
@example([("9" * 19, "1", "3", "4"), ("2", "9" * 20, "3", "4")], ",", True, "\n")  # beyond int64, and beyond uint64
@example([("9" * 19, "1", "3", "4"), ("2", "9" * 18, "3", "4")], ",", True, "\n")
@example([("1", "0", "3", "4"), ("1.0", "1", "3", "4")], ",", True, "\n")  # a whole number in another way
@example([("1", "0", "1.2500000001", "4"), ("1", "1", "1.25", "4")], ",", True, "\n")
@example([("1", "0", "3", "4"), ("10", "1", "0.5", "1.5")], ",", True, "\n")
@example([(), ("0", "1e3", "0", "4")], ",", False, "\n")  # a number shorter than its digits, and an empty line
def test_numbers_and_texts_are_read_alike(table, sep, header, end):
    head = [sep.join(["user", "item", "rating", "timestamp"])] if header else []
    content = end.join([*head, *map(sep.join, table), ""])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.txt"
        path.write_bytes(content.encode())
        with patch.object(delimited, "parsed_numbers", return_value=None):
            expected = outcome(path)
        with patch.object(plain_numbers, "_LEAST_BYTES", 0), patch.object(plain_numbers, "_BLOCK", 30):
            assert outcome(path) == expected
