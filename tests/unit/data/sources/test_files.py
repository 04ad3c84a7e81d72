import numpy as np
import pandas as pd
import pytest

from cfbench.data.sources.ratings_file import RatingsFile
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError


@pytest.fixture
def storage(tmp_path):
    return Storage(None, tmp_path / "cache")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my-ratings.csv"
    path.write_text("user,item,rating,timestamp\nb,010,1,10\na,9,4.5,20\nb,9,3,30\n")
    return path


def test_a_file_becomes_a_data_set_with_entities_in_order_of_first_appearance(path, storage):
    data = RatingsFile(str(path)).load(storage)
    assert data.name == "my-ratings"
    assert data.users.ids.tolist() == ["b", "a"]
    assert data.items.ids.tolist() == ["010", "9"]
    assert data.user_index.tolist() == [0, 1, 0]
    assert data.item_index.tolist() == [0, 1, 1]
    assert data.ratings.tolist() == [1.0, 4.5, 3.0]
    assert data.timestamps.tolist() == [10, 20, 30]
    assert (data.user_index.dtype, data.ratings.dtype, data.timestamps.dtype) == (np.int32, np.float32, np.int64)


def test_scale_is_observed_and_three_quarters_of_it_count_as_relevant(path, storage):
    data = RatingsFile(str(path)).load(storage)
    assert (data.scale.low, data.scale.high) == (1.0, 4.5)
    assert data.relevant_from == 1.0 + 0.75 * 3.5


def test_a_declared_scale_and_relevance_are_taken_as_they_are(path, storage):
    data = RatingsFile(str(path), scale_low=1, scale_high=5, relevant_from=4).load(storage)
    assert (data.scale.low, data.scale.high, data.relevant_from) == (1.0, 5.0, 4.0)
    assert RatingsFile(str(path), scale_low=1, scale_high=5).load(storage).relevant_from == 4.0


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_a_rating_beyond_32_bits_is_refused_as_not_finite_and_warns_of_nothing(tmp_path, storage, name):
    table = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [3.0, 1e300]})
    if name == "r.csv":
        table.to_csv(tmp_path / name, index=False)
    else:
        pytest.importorskip("pyarrow", reason="reads parquet")
        table.to_parquet(tmp_path / name)
    with pytest.raises(DataError, match="the rating is inf, expected a finite number"):
        RatingsFile(str(tmp_path / name)).load(storage)


def test_one_declared_end_is_checked_too(path, storage):
    with pytest.raises(DataError, match=r"line 3: rating 4\.5 is off the declared scale"):
        RatingsFile(str(path), scale_high=4).load(storage)


def test_equal_ratings_need_a_declared_scale(tmp_path, storage):
    path = tmp_path / "ones.csv"
    path.write_text("a,x,1\nb,y,1\n")
    with pytest.raises(DataError, match="scale would be 1 to 1; declare it"):
        RatingsFile(str(path)).load(storage)
    assert len(RatingsFile(str(path), scale_low=0, scale_high=1).load(storage)) == 2


def test_times_can_be_left_out(path, storage):
    assert RatingsFile(str(path), use_timestamps=False).load(storage).timestamps is None


@pytest.mark.parametrize(
    ("file", "name"), [("a/ml.csv.gz", "ml"), ("ratings.v2.dat", "ratings.v2"), ("x.inter", "x"), ("plain", "plain")]
)
def test_the_name_is_the_file_name_without_its_format(file, name):
    assert RatingsFile(file).name == name


def test_wrong_parameters_are_refused_before_any_reading():
    with pytest.raises(ValueError, match="scale_low=5: expected less than scale_high=1"):
        RatingsFile("x.csv", scale_low=5, scale_high=1)
    with pytest.raises(ValueError, match="duplicates='drop': expected 'error' or 'first'"):
        RatingsFile("x.csv", duplicates="drop")


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(path, storage, monkeypatch):
    first = RatingsFile(str(path)).load(storage)
    monkeypatch.setattr("cfbench.data.sources.ratings_file.read_ratings", lambda *_, **__: pytest.fail("read again"))
    assert RatingsFile(str(path)).load(storage).fingerprint == first.fingerprint
    monkeypatch.undo()
    path.write_text(path.read_text() + "a,010,2,40\n")
    assert len(RatingsFile(str(path)).load(storage)) == 4


def test_whereabouts_name_the_file_and_whether_it_is_there(path, storage):
    assert RatingsFile(str(path)).whereabouts(storage) == str(path)
    assert RatingsFile("/no/file.csv").whereabouts(storage).endswith("(missing)")
