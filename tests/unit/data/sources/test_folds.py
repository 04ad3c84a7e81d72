import pytest

from cfbench.data.sources.movielens import published_folds
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.errors import DataError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "u.data").write_text("9\ta\t1\t0\n8\tb\t2\t0\n9\tb\t3\t0\n8\ta\t4\t0\n")
    (tmp_path / "u1.base").write_text("8\ta\t4\t0\n9\tb\t3\t0\n8\tb\t2\t0\n")
    (tmp_path / "u1.test").write_text("9\ta\t1\t0\n")
    return tmp_path


def test_fold_rows_are_rows_of_the_data_in_the_folds_own_order(folder):
    folds = published_folds(folder, ["u1", "u2"], read_ratings(folder / "u.data"))
    assert list(folds) == ["u1"]
    assert folds["u1"].train_rows.tolist() == [3, 2, 1]
    assert folds["u1"].test_rows.tolist() == [0]


@pytest.mark.parametrize("row", ["9\tc\t1\t0", "7\ta\t1\t0", "9\ta\t2\t0"])
def test_a_row_that_is_not_in_the_data_is_named(folder, row):
    (folder / "u1.test").write_text(f"8\tb\t2\t0\n{row}\n")
    with pytest.raises(DataError, match=r"u1\.test, line 2: this rating is not in .*u\.data"):
        published_folds(folder, ["u1"], read_ratings(folder / "u.data"))
