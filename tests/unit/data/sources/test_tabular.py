import gzip
import sys

import numpy as np
import pytest

from cfbench.data.sources.columns import ColumnNames
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import by_first_appearance
from cfbench.errors import DataError, DataNotFoundError

ROWS = [("007", "tt01", 4.0, 100), ("7", "tt01", 2.5, 200), ("007", "0", 5.0, 300)]


def rows_of(raw):
    users, at_user = by_first_appearance(raw.users)
    items, at_item = by_first_appearance(raw.items)
    times = [None] * len(raw) if raw.timestamps is None else raw.timestamps.astype(int).tolist()
    return list(zip(users[at_user].tolist(), items[at_item].tolist(), raw.ratings.tolist(), times, strict=True))


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def lines(sep, rows=ROWS):
    return "".join(sep.join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize("sep", [",", "\t", "::", ";", "|", " "])
@pytest.mark.parametrize("header", [True, False])
def test_every_separator_is_recognised_with_and_without_header(tmp_path, sep, header):
    head = sep.join(["userId", "movieId", "rating", "timestamp"]) + "\n" if header else ""
    assert rows_of(read_ratings(written(tmp_path / "r.txt", head + lines(sep)))) == ROWS


def test_ids_that_all_look_like_numbers_keep_their_leading_zeros(tmp_path):
    raw = read_ratings(written(tmp_path / "r.csv", "user,item,rating\n01,002,3\n1,02,4\n1,2,5\n"))
    assert [row[:2] for row in rows_of(raw)] == [("01", "002"), ("1", "02"), ("1", "2")]


@pytest.mark.parametrize("id_", ["NA", "nan", "null", "None", "1e3", "true", "-0", "~"])
def test_words_that_mean_something_to_parsers_are_ordinary_ids(tmp_path, id_):
    raw = read_ratings(written(tmp_path / "r.csv", f"user,item,rating\n{id_},1,3\n2,{id_},4\n"))
    assert [row[:2] for row in rows_of(raw)] == [(id_, "1"), ("2", id_)]


def test_recbole_inter_files_are_read(tmp_path):
    text = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + lines("\t")
    assert rows_of(read_ratings(written(tmp_path / "x.inter", text))) == ROWS


def test_gzip_is_known_by_content_not_by_name(tmp_path):
    (tmp_path / "r.csv").write_bytes(gzip.compress(lines("::").encode()))
    assert rows_of(read_ratings(tmp_path / "r.csv")) == ROWS


def test_byte_order_mark_crlf_blank_lines_and_spaces_after_commas_do_no_harm(tmp_path):
    text = "\ufeff\r\nuser, item, rating\r\n007, tt01, 4\r\n\r\n7, tt01, 2.5\r\n"
    assert rows_of(read_ratings(written(tmp_path / "r.csv", text))) == [(*row[:3], None) for row in ROWS[:2]]


@pytest.mark.parametrize("sep", [",", "\t", "::", "|"])
def test_blanks_around_an_id_do_not_make_another_one(tmp_path, sep):
    rows = [("u1", "x ", 3), ("u1 ", " y", 4), (" u2 ", "x", 5)]
    raw = read_ratings(written(tmp_path / "r.csv", lines(sep, rows)))
    assert [row[:3] for row in rows_of(raw)] == [("u1", "x", 3.0), ("u1", "y", 4.0), ("u2", "x", 5.0)]


def test_an_id_of_blanks_is_missing_and_blanks_within_an_id_stay(tmp_path):
    raw = read_ratings(written(tmp_path / "r.csv", 'user,item,rating\n"a  b ",x,1\n"  ",y,2\n,z,3\n'))
    assert raw.users.index[1:].tolist() == [-1, -1]
    assert raw.users.labels[raw.users.index[0]] == "a  b"


def test_unused_columns_are_ignored_even_with_separators_and_breaks_in_quotes(tmp_path):
    text = 'comment,user,item,rating\n"good, very\nindeed",a,x,5\nbad,b,y,1\n'
    assert rows_of(read_ratings(written(tmp_path / "r.csv", text))) == [("a", "x", 5.0, None), ("b", "y", 1.0, None)]


def test_double_colons_split_by_a_block_border_are_still_separators(tmp_path):
    # 11 bytes a line against a block of 2**20: every offset of the separator meets a border.
    n = 300_000
    text = "".join(f"{row % 1000:04d}::{row % 97:02d}::{row % 5}\n" for row in range(n))
    raw = read_ratings(written(tmp_path / "r.dat", text))
    assert len(raw) == n
    assert raw.ratings.tolist() == [row % 5 for row in range(n)]
    assert len(by_first_appearance(raw.items)[0]) == 97


def test_another_encoding_is_read_when_named_and_its_line_told_when_not(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating\na,x,1\nb,café,2\n", "latin-1")
    with pytest.raises(DataError, match=r"r\.csv, line 3: not valid utf-8.*encoding=latin-1"):
        read_ratings(path)
    assert rows_of(read_ratings(path, encoding="latin-1"))[1][1] == "café"


@pytest.mark.parametrize("encoding", ["utf-16", "no-such-code"])
def test_encodings_that_do_not_contain_ascii_are_refused(tmp_path, encoding):
    path = written(tmp_path / "r.csv", lines(","))
    with pytest.raises(DataError, match="no known ASCII-compatible encoding"):
        read_ratings(path, encoding=encoding)


@pytest.mark.parametrize("content", [lines(",").encode("utf-16"), b"\x00\x01\x02\n"])
def test_wide_text_and_binary_files_are_refused_as_no_text(tmp_path, content):
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(DataError, match="save it as UTF-8"):
        read_ratings(tmp_path / "r.csv")


def test_an_empty_file_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        read_ratings(written(tmp_path / "r.csv", " \n"))
    with pytest.raises(DataNotFoundError, match="does not exist"):
        read_ratings(tmp_path / "other.csv")
    with pytest.raises(DataNotFoundError, match="is a folder"):
        read_ratings(tmp_path)


def test_a_damaged_gzip_file_is_an_error_of_the_data(tmp_path):
    (tmp_path / "r.csv").write_bytes(gzip.compress(lines(",").encode() * 100)[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_ratings(tmp_path / "r.csv")


def test_a_rating_that_is_no_number_is_named_with_its_line(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating\na,x,1\n\nb,y,good\n")
    with pytest.raises(DataError, match=r"r\.csv, line 4: the rating is 'good', expected a finite number"):
        read_ratings(path)


def test_a_date_as_timestamp_is_refused_unless_times_are_left_out(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating,time\na,x,1,2020-01-01\n")
    with pytest.raises(DataError, match=r"line 2: the timestamp is '2020-01-01', expected seconds since 1970"):
        read_ratings(path)
    assert read_ratings(path, use_timestamps=False).timestamps is None


def test_a_row_with_too_many_fields_is_named_with_its_line(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating\na,x,1\nb,y,3,5\n")
    with pytest.raises(DataError, match=r"line 3: expected 3 fields, got 4"):
        read_ratings(path)


def test_every_row_longer_than_the_header_is_no_silent_shift(tmp_path):
    with pytest.raises(DataError, match=r"line 2: expected 3 fields, got 4"):
        read_ratings(written(tmp_path / "r.csv", "user,item,rating\na,x,1,9\nb,y,3,5\n"))


def test_named_columns_and_a_forced_header_are_honoured(tmp_path):
    path = written(tmp_path / "r.csv", "who,what,how\na,x,1\nb,y,2\n")
    named = ColumnNames(user="who", item="what", rating="how")
    assert rows_of(read_ratings(path, named=named)) == [("a", "x", 1.0, None), ("b", "y", 2.0, None)]
    headless = written(tmp_path / "s.csv", "user,item,3\nb,y,2\n")
    assert rows_of(read_ratings(headless, header=False)) == [("user", "item", 3.0, None), ("b", "y", 2.0, None)]


def test_the_separator_may_be_given_and_must_be_one_character_or_double_colon(tmp_path):
    path = written(tmp_path / "r.txt", "a b;x,1;3\n")
    assert rows_of(read_ratings(path, sep=";")) == [("a b", "x,1", 3.0, None)]
    with pytest.raises(DataError, match="one ASCII character or '::', got '<>'"):
        read_ratings(path, sep="<>")


def parquet(path, **columns):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_integers_and_integral_floats_become_plain_text_ids(tmp_path):
    path = parquet(
        tmp_path / "r.parquet", userId=[5, 7, 5], itemId=[1.0, 2.0, 2.0], rating=[1, 2, 3], extra=["a", "b", "c"]
    )
    assert rows_of(read_ratings(path)) == [("5", "1", 1.0, None), ("7", "2", 2.0, None), ("5", "2", 3.0, None)]


def test_parquet_text_ids_times_and_nulls_survive(tmp_path):
    pa = pytest.importorskip("pyarrow")
    times = pa.array([1_500, 2_000, 3_000], pa.timestamp("ms"))
    path = parquet(
        tmp_path / "r.pq", user=["01", None, "1"], item=["x", "x", "y"], rating=[1.0, None, 3.0], timestamp=times
    )
    raw = read_ratings(path)
    assert raw.users.index.tolist() == [0, -1, 1]
    assert np.isnan(raw.ratings[1])
    assert raw.timestamps.tolist() == [1.0, 2.0, 3.0]
    assert raw.place(1) == "row 2"


def test_parquet_with_a_text_rating_or_damaged_content_is_refused(tmp_path):
    path = parquet(tmp_path / "r.parquet", user=["a"], item=["x"], rating=["good"])
    with pytest.raises(DataError, match="the rating column 'rating' must hold numbers, got string"):
        read_ratings(path)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_ratings(written(tmp_path / "s.parquet", "no"))
    with pytest.raises(DataNotFoundError, match="does not exist"):
        read_ratings(tmp_path / "t.parquet")


def test_parquet_columns_of_types_that_cannot_serve_are_named_with_the_remedy(tmp_path):
    pa = pytest.importorskip("pyarrow")
    good = {"user": ["a", "b"], "item": ["x", "y"], "rating": [1.0, 2.0]}
    dated = parquet(tmp_path / "dated.parquet", **good, time=pa.array([1, 2], pa.date32()))
    with pytest.raises(DataError, match=r"timestamp column 'time' must hold .*, got date32.*timestamp_column=\.\.\."):
        read_ratings(dated)
    assert read_ratings(dated, use_timestamps=False).timestamps is None
    for wrong in ([["a"], ["b"]], [{"id": "a"}, {"id": "b"}], [b"\xff", b"b"]):
        path = parquet(tmp_path / "wrong.parquet", **good | {"user": wrong})
        with pytest.raises(DataError, match=r"wrong\.parquet: the user column 'user' must hold texts or whole numbers"):
            read_ratings(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "cfbench.data.sources.parquet", raising=False)
    with pytest.raises(DataError, match=r"pip install 'cfbench\[parquet\]'"):
        read_ratings(written(tmp_path / "r.parquet", "x"))


def test_an_unquoted_separator_in_an_unused_column_is_no_silent_shift(tmp_path):
    path = written(tmp_path / "r.csv", "user,title,item,rating\na,Alien,x,1\nb,Me, Myself,2,5\n")
    with pytest.raises(DataError, match=r"line 3: expected 4 fields, got 5; quote fields that contain ','"):
        read_ratings(path)


def test_a_separator_at_the_end_of_every_line_is_tolerated_where_the_header_has_it_too(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating,\na,x,1,\nb,y,3,\n")
    assert rows_of(read_ratings(path)) == [("a", "x", 1.0, None), ("b", "y", 3.0, None)]


def test_unused_columns_may_be_empty_or_short_or_foreign(tmp_path):
    path = written(tmp_path / "r.csv", "user,item,rating,comment\na,x,1,\nb,y,3\nc,z,5,été\n")
    assert [row[0] for row in rows_of(read_ratings(path))] == ["a", "b", "c"]
