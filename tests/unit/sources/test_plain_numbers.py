import numpy as np
import pytest

from cfbench.errors import DataError
from cfbench.sources import plain_numbers
from cfbench.sources.columns import Columns
from cfbench.sources.plain_numbers import number_ids, parsed_numbers
from cfbench.sources.tabular import read_ratings

COLUMNS = Columns(user=0, item=1, rating=2, timestamp=3)
HEADER = "userId,movieId,rating,timestamp\n"
ROW = "1,10,0.5,100\n"
MANY = 1 << 17  # rows of more than a mebibyte


def parsed(tmp_path, text):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    return parsed_numbers(path, ",", COLUMNS, 4, has_header=True)


def test_a_large_file_of_plain_numbers_is_parsed_as_numbers(tmp_path):
    frame = parsed(tmp_path, HEADER + ROW * MANY + "23,4,5,600\n")
    assert [dtype.name for dtype in frame.dtypes] == ["int32", "int32", "float32", "int64"]
    assert frame.iloc[-1].tolist() == [23, 4, 5, 600]
    assert len(frame) == MANY + 1


def test_ids_that_need_64_bits_get_them(tmp_path):
    frame = parsed(tmp_path, HEADER + ROW * MANY + f"{2**31},{2**40},5,600\n")
    assert frame.iloc[-1].tolist() == [2**31, 2**40, 5, 600]


@pytest.mark.parametrize("row", ["01,10,3,100\n", "1,00,3,100\n", "-1,2,3,4\n", "a,2,3,4\n", "1,,3,4\n", '"1",2,3,4\n'])
def test_one_row_with_something_else_far_down_leaves_the_file_to_the_parser_of_texts(tmp_path, row):
    assert parsed(tmp_path, HEADER + ROW * MANY + row + ROW) is None


@pytest.mark.parametrize("block", range(9, 23))
def test_a_file_is_judged_alike_wherever_blocks_of_bytes_end(tmp_path, monkeypatch, block):
    monkeypatch.setattr(plain_numbers, "_WORTH_IT", 0)
    monkeypatch.setattr(plain_numbers, "_BLOCK", block)
    rows = "u,i,r,t\n" + ROW * 9
    assert parsed(tmp_path, rows + "7,2,10.05,0").shape == (10, 4)
    assert parsed(tmp_path, rows + "7,02,3,4\n1,2,3,4\n") is None
    assert parsed(tmp_path, rows + "7,2.,3,4\n1,2,3,4\n") is None
    assert parsed(tmp_path, rows + "7,2,3,4.") is None


def test_small_files_are_left_to_the_parser_of_texts(tmp_path):
    assert parsed(tmp_path, HEADER + ROW) is None


def test_number_ids_are_texts_and_each_row_keeps_its_own():
    column = number_ids(np.array([30, 4, 30, 0], dtype=np.int64))
    assert column.labels[column.index].tolist() == ["30", "4", "30", "0"]
    assert column.index.dtype == np.int32


def test_ids_beyond_any_table_are_told_apart_as_well():
    column = number_ids(np.array([10**18, 7, 10**18 + 1], dtype=np.int64))
    assert column.labels[column.index].tolist() == [str(10**18), "7", str(10**18 + 1)]


def test_a_wrong_row_of_a_large_file_is_still_named(tmp_path):
    (tmp_path / "r.csv").write_text(HEADER + ROW * MANY + "1,2,3,4,5\n")
    with pytest.raises(DataError, match=f"line {MANY + 2}: expected 4 fields, got 5"):
        read_ratings(tmp_path / "r.csv")
