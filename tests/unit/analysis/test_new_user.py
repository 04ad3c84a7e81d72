"""Somebody new: their ratings from a file, and what is known of them."""

import numpy as np
import pytest

from cfbench.analysis.catalogue import TitleIndex
from cfbench.analysis.new_user import new_user_features, read_user_ratings, with_user
from cfbench.analysis.recommendation import favourite_rows
from cfbench.errors import DataError, SpecError, UnknownNameError, UsageError
from cfbench.model.features import Features
from cfbench.model.ratings import Ratings, RatingScale

TITLES = TitleIndex(["Silence of the Lambs, The (1991)", "Alien (1979)", "Emma (1996)"], ["7", "8", "9"])
SCALE = RatingScale(1, 5)
KNOWN = Features({"age": np.array([20, 30]), "job": np.array(["artist", "lawyer|artist"])})


@pytest.fixture
def read(tmp_path):
    def call(text: str):
        path = tmp_path / "mine.csv"
        path.write_text(text)
        return read_user_ratings(path, TITLES, SCALE)

    return call


def train(**changes) -> Ratings:
    columns = {
        "users": np.array([0, 1, 0], dtype=np.int32),
        "items": np.array([0, 1, 2], dtype=np.int32),
        "ratings": np.array([4, 5, 4], dtype=np.float32),
        "timestamps": np.array([10, 20, 30]),
        "n_users": 2,
        "n_items": 3,
        "scale": SCALE,
        "user_features": KNOWN,
    }
    return Ratings(**{**columns, **changes})


@pytest.mark.parametrize(
    "text",
    [
        'title,rating\n"Silence of the Lambs, The (1991)",5\nalien,3.5\n',
        "item,rating\n7,5\n\n8,3.5\n",
        "rating,when,Title\n5,now,silence of the lambs\n3.5,now,Alien\n",
    ],
)
def test_items_go_by_title_or_id_and_other_columns_are_passed_over(read, text):
    assert list(read(text).items()) == [(0, 5), (1, 3.5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("film,stars\nAlien,5\n", "expected the headings 'title' .* got 'film', 'stars'"),
        ("", "expected the headings .* got nothing"),
        ("title,rating\n", "holds no ratings"),
        ("title,rating\nAlien,6\n", r"line 2: rating '6': expected a number from 1 to 5"),
        ("title,rating\nAlien,good\n", "line 2: rating 'good': expected a number"),
        ("title,rating\nAlien,nan\n", "line 2: rating 'nan': expected a number"),
        ("title,rating\nAlien,5\n8,4\n", "line 3: '8' is rated twice"),
        ("title,rating\nAliens,5\n", r"line 2: no item .* 'Aliens'; did you mean 'Alien \(1979\)'"),
        (
            "title,rating\nSilence of the Lambs, The,5\n",
            "expected 2 fields, got 3; put titles .* in double quotes",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(read, text, said):
    with pytest.raises(DataError, match=said):
        read(text)


def test_all_mistakes_are_told_at_once(read):
    with pytest.raises(DataError, match=r"line 2: .*; line 3: .*"):
        read("title,rating\nAlien,9\nNosuch,1\n")


def test_a_missing_file_is_the_users_mistake(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*No such file"):
        read_user_ratings(tmp_path / "none.csv", TITLES, SCALE)


def test_a_new_user_joins_training_last_with_features_of_their_own(read):
    joined = with_user(train(), read("item,rating\n9,2\n"), new_user_features("age=25", KNOWN))
    assert joined.n_users == 3
    assert joined.users.tolist() == [0, 1, 0, 2]
    assert joined.items.tolist() == [0, 1, 2, 2]
    assert joined.ratings.tolist() == [4, 5, 4, 2]
    assert joined.timestamps.tolist() == [10, 20, 30, 30]
    assert joined.user_features.columns["age"].tolist() == [20, 30, 25]
    assert joined.user_features.columns["job"].tolist() == ["artist", "lawyer|artist", ""]


def test_data_without_times_and_features_stay_without(read):
    joined = with_user(train(timestamps=None, user_features=None), read("item,rating\n9,2\n"), None)
    assert joined.timestamps is None
    assert joined.user_features is None


def test_features_that_are_not_told_are_missing():
    told = new_user_features("job=lawyer", KNOWN)
    assert np.isnan(told.columns["age"][0])
    assert told.columns["job"].tolist() == ["lawyer"]
    assert new_user_features("", KNOWN).columns["job"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("agee=3", UnknownNameError, "unknown feature 'agee'; did you mean 'age'"),
        ("job=lawer", UnknownNameError, "unknown job 'lawer'; did you mean 'lawyer'"),
        ("age", SpecError, "cannot read 'age' of --features: expected key=value"),
        ("age=old", SpecError, "age expects a number, got 'old'"),
        ("age=inf", SpecError, "age expects a number, got 'inf'"),
        ("age=3,age=4", SpecError, "gives 'age' twice"),
    ],
)
def test_features_that_training_does_not_know_are_refused(text, error, said):
    with pytest.raises(error, match=said):
        new_user_features(text, KNOWN)


def test_where_nothing_is_known_of_users_features_teach_nothing():
    with pytest.raises(UsageError, match="know nothing of their users"):
        new_user_features("age=3", None)


def test_favourites_are_the_highest_ratings_the_latest_first():
    assert favourite_rows(train(), 0, 5).tolist() == [2, 0]
    assert favourite_rows(train(timestamps=None), 0, 1).tolist() == [2]
    assert favourite_rows(train(), 2, 5).tolist() == []
