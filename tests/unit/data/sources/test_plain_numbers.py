import pytest

from cfbench.data.sources import plain_numbers
from cfbench.data.sources.columns import Columns, Layout
from cfbench.data.sources.plain_numbers import parsed_numbers
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.text_file import TextFile
from cfbench.errors import DataError

COLUMNS = Columns(user=0, item=1, rating=2, timestamp=3)
HEADER = "userId,movieId,rating,timestamp\n"
ROW = "1,10,0.5,100\n"
MANY = 1 << 17  # rows of more than a mebibyte


def parsed(tmp_path, text):
    path = tmp_path / "ratings.csv"
    path.write_bytes(text.encode())
    return parsed_numbers(Layout(TextFile(path, ","), COLUMNS, 4, has_header=True))


def last_row(plain):
    ids = [str(column.labels[column.index[-1]]) for column in (plain.users, plain.items)]
    return [*ids, float(plain.ratings[-1]), int(plain.timestamps[-1])]


@pytest.fixture
def small_files_in_tiny_parts(monkeypatch):
    monkeypatch.setattr(plain_numbers, "_LEAST_BYTES", 0)
    monkeypatch.setattr(plain_numbers, "_BLOCK", 30)


def test_a_large_file_of_plain_numbers_is_parsed_as_numbers(tmp_path):
    plain = parsed(tmp_path, HEADER + ROW * MANY + "23,4,5,600\n")
    columns = (plain.users.index, plain.items.index, plain.ratings, plain.timestamps)
    assert [column.dtype.name for column in columns] == ["int32", "int32", "float32", "int64"]
    assert [len(column) for column in columns] == [MANY + 1] * 4
    assert last_row(plain) == ["23", "4", 5.0, 600]


def test_ids_that_need_64_bits_get_them(tmp_path):
    plain = parsed(tmp_path, HEADER + ROW * MANY + f"{2**31},{2**40},5,600\n")
    assert last_row(plain) == [str(2**31), str(2**40), 5.0, 600]
    assert plain.users.labels.tolist() == ["1", str(2**31)]


@pytest.mark.parametrize("row", ["01,10,3,100\n", "1,00,3,100\n", "-1,2,3,4\n", "a,2,3,4\n", "1,,3,4\n", '"1",2,3,4\n'])
def test_one_row_with_something_else_far_down_leaves_the_file_to_the_parser_of_texts(tmp_path, row):
    assert parsed(tmp_path, HEADER + ROW * MANY + row + ROW) is None


@pytest.mark.parametrize("block", range(9, 23))
def test_a_file_is_judged_alike_wherever_parts_of_it_end(tmp_path, monkeypatch, block):
    monkeypatch.setattr(plain_numbers, "_LEAST_BYTES", 0)
    monkeypatch.setattr(plain_numbers, "_BLOCK", block)
    rows = "u,i,r,t\n" + ROW * 9
    assert len(parsed(tmp_path, rows + "7,2,10.05,0").ratings) == 10
    assert parsed(tmp_path, rows + "7,02,3,4\n1,2,3,4\n") is None
    assert parsed(tmp_path, rows + "7,2.,3,4\n1,2,3,4\n") is None
    assert parsed(tmp_path, rows + "7,2,3,4.") is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\n\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_any_ends_of_lines_are_fine_and_none_hides_a_leading_zero(tmp_path, monkeypatch, end, last):
    monkeypatch.setattr(plain_numbers, "_LEAST_BYTES", 0)
    rows = end.join(["1,10,0.5,100", "2,9,4,1200"]) + last
    assert last_row(parsed(tmp_path, HEADER + rows)) == ["2", "9", 4.0, 1200]
    for odd in ("02,9,4,1200", "2,9,4, 1200", "2,+9,4,1200", "2,-0,4,1200"):
        for other in ("\n", "\r\n"):
            assert parsed(tmp_path, HEADER + rows.rstrip() + other + odd + end) is None


ODD_ROWS = {
    "a field too many": "1,2,3,4,5",
    "an empty field too many": "1,2,3,4,",
    "a field too few": "1,2,3",
    "fields too few": "1",
    "blanks alone": "  ",
    "separators alone": ",,,",
    "no rating": "1,2,,4",
    "no time": "1,2,3,",
    "a quoted id": '"1",2,3,4',
    "a quoted rating": '1,2,"3",4',
    "a quoted row": '"1,2,3,4"',
    "a comment": "#1,2,3,4",
    "a negative zero": "-0,2,3,4",
    "a negative rating": "1,2,-3,4",
    "a sign": "+1,2,3,4",
    "a fraction": "1.0,2,3,4",
    "an exponent": "1e1,2,3,4",
    "an exponent in a rating": "1,2,3e1,4",
    "an underscore": "1_0,2,3,4",
    "a rating in hexadecimal": "1,2,0x1,4",
    "digits of another script": "\u0661,2,3,4",
    "digits of another script in a rating": "1,2,\u0663,4",
    "a NUL behind an id": "1\0,2,3,4",
    "a NUL behind a rating": "1,2,3\0,4",
    "a NUL within a rating": "1,2,3\x005,4",
    "more behind a NUL than is kept": "1,2,3\0\0\0\0\0\0\0\0\0junk,4",
    "a rating that is cut off": "1,2,3.0000001,4",
    "a rating of two dots": "1,2,3.0.1,4",
    "a dot for a rating": "1,2,.,4",
    "a slash in a rating": "1,2,1/2,4",
    "an id beyond 32 bits, unsigned": "18446744073709551617,2,3,4",
    "an id beyond 64 bits": "18446744073709551615,2,3,4",
    "an id just beyond 63 bits": "9223372036854775808,2,3,4",
    "a time beyond 64 bits": "1,2,3,99999999999999999999",
    "nan": "1,2,nan,4",
    "a form feed": "1,2,3,4\f",
    "the end of a DOS file": "\x1a",
}  # fmt: skip


@pytest.mark.parametrize("row", ODD_ROWS.values(), ids=ODD_ROWS)
@pytest.mark.parametrize("rest", ["", "\n", "\n1,2,3,4\n", "\n1,2\n", "\n1,2,3,4,5,6\n"])
@pytest.mark.usefixtures("small_files_in_tiny_parts")
def test_an_odd_row_is_never_taken_for_plain_numbers(tmp_path, row, rest):
    assert parsed(tmp_path, HEADER + ROW * 3 + row + rest) is None
    assert parsed(tmp_path, HEADER + row + "\n" + ROW * 3 + rest) is None


def test_a_line_without_end_is_no_row_of_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_numbers, "_LEAST_BYTES", 0)
    monkeypatch.setattr(plain_numbers, "_LONGEST_LINE", 40)
    assert parsed(tmp_path, HEADER + ROW * 3 + "1" * 41 + ",2,3,4\n") is None


@pytest.mark.usefixtures("small_files_in_tiny_parts")
@pytest.mark.parametrize(
    ("pairs", "known"),
    [
        ([(1, 1), (1, 2), (1, 3), (2, 1), (2, 9), (10, 1)], True),
        ([(1, 1), (1, 2), (1, 2), (2, 1), (2, 9), (10, 1)], False),
        ([(1, 1), (1, 2), (2, 3), (1, 4), (2, 9), (10, 1)], False),
        ([(1, 1), (1, 1)] * 3, False),
    ],
)
def test_rows_by_user_and_item_are_known_to_be_unrepeated(tmp_path, pairs, known):
    plain = parsed(tmp_path, HEADER + "".join(f"{user},{item},3,4\n" for user, item in pairs))
    assert plain.unrepeated is known


def test_small_files_are_left_to_the_parser_of_texts(tmp_path):
    assert parsed(tmp_path, HEADER + ROW) is None


def test_a_wrong_row_of_a_large_file_is_still_named(tmp_path):
    (tmp_path / "r.csv").write_text(HEADER + ROW * MANY + "1,2,3,4,5\n")
    with pytest.raises(DataError, match=f"line {MANY + 2}: expected 4 fields, got 5"):
        read_ratings(tmp_path / "r.csv")
