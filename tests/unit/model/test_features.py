"""Side information and the indicators made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.model.features import MOST_BINS, Features, Vocabulary
from cfbench.model.ratings import Ratings, RatingScale

FILMS = Features(
    {
        "genres": np.array(["Drama|Crime", "", "Drama", "Comedy"]),
        "year": np.array([1994, np.nan, 1950, 2001], dtype=np.float32),
    }
)


def told(vocabulary, features):
    """The names of each entity's indicators."""
    found = vocabulary.memberships(features)
    names = [vocabulary.names[index] for index in found.indices]
    return [names[start:end] for start, end in zip(found.indptr[:-1], found.indptr[1:], strict=True)]


def test_a_saved_vocabulary_comes_back_whatever_columns_are_called():
    odd = Features({"../a b": np.array(["x", "y"]), "": np.array([1.0, np.nan])})
    for features in (FILMS, odd):
        vocabulary = Vocabulary.of(features)
        again = Vocabulary.from_parts({"other": np.zeros(1), **vocabulary.to_parts()})
        assert again.names == vocabulary.names
        assert told(again, features) == told(vocabulary, features)
    with pytest.raises(KeyError):
        Vocabulary.from_parts({"other": np.zeros(1)})


def test_titles_and_zip_codes_are_no_features():
    table = {"title": np.array(["Jaws", "Heat"]), "zip": np.array(["1", "2"]), "year": np.array([1975.0, 1995.0])}
    features = Features.of(table, np.array([1]))
    assert list(features.columns) == ["year"]
    assert features.columns["year"].tolist() == [1995]
    assert Features.of({"title": table["title"]}, np.array([0])) is None


def test_features_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        FILMS.columns["year"][0] = 1


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({}, "one or more columns"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "equal length"),
        ({"a": np.array([{}])}, r"feature 'a' must be a 1-d array of text or numbers, got shape \(1,\) of object"),
        ({"a": np.zeros((2, 2))}, "1-d"),
    ],
)
def test_columns_that_are_no_features_are_refused_by_name(columns, complaint):
    with pytest.raises(ValueError, match=complaint):
        Features(columns)


def test_ratings_refuse_features_of_another_number_of_entities():
    code, stars = np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.float32)
    with pytest.raises(ValueError, match="features of 4 items for 1 training items"):
        Ratings(code, code, stars, None, 1, 1, RatingScale(1, 5), item_features=FILMS)


def test_every_part_of_joined_text_and_every_distinct_number_is_an_indicator():
    vocabulary = Vocabulary.of(FILMS)
    assert vocabulary.names == (
        "genres=Comedy", "genres=Crime", "genres=Drama", "year>=1950", "year>=1994", "year>=2001",
    )  # fmt: skip
    assert vocabulary.columns.tolist() == [0, 0, 0, 1, 1, 1]
    assert told(vocabulary, FILMS) == [
        ["genres=Crime", "genres=Drama", "year>=1994"],
        [],
        ["genres=Drama", "year>=1950"],
        ["genres=Comedy", "year>=2001"],
    ]


def test_values_outside_training_are_ignored_and_numbers_fall_into_the_bin_below():
    new = Features({"genres": np.array(["War|Crime|Crime", "Western"]), "year": np.array([1999.0, 1900.0])})
    assert told(Vocabulary.of(FILMS), new) == [["genres=Crime", "year>=1994"], ["year>=1950"]]


def test_a_column_that_newcomers_lack_is_missing_and_one_that_training_lacked_is_ignored():
    new = Features({"genres": np.array(["Drama"]), "colour": np.array(["grey"])})
    assert told(Vocabulary.of(FILMS), new) == [["genres=Drama"]]


def test_text_in_place_of_numbers_is_refused():
    with pytest.raises(ValueError, match="feature 'year' was float64 in training and is <U4 now"):
        Vocabulary.of(FILMS).memberships(Features({"year": np.array(["1999"])}))


def test_many_numbers_are_cut_at_quantiles_of_the_training_entities():
    ages = Features({"age": np.repeat(np.arange(100.0), 3)})
    vocabulary = Vocabulary.of(ages)
    assert vocabulary.marks["age"].tolist() == [0, 9, 19, 29, 39, 49, 59, 69, 79, 89]
    counts = np.bincount(vocabulary.memberships(ages).indices)
    assert counts.tolist() == [27, *[30] * 8, 33]


def test_nothing_known_of_anybody_is_an_empty_vocabulary():
    empty = Features({"genres": np.array(["", ""]), "year": np.array([np.nan, np.nan])})
    vocabulary = Vocabulary.of(empty)
    assert len(vocabulary) == 0
    assert told(vocabulary, FILMS) == [[], [], [], []]


def test_nobody_has_no_indicators():
    nobody = Features({"genres": np.empty(0, dtype="U3"), "year": np.empty(0)})
    assert told(Vocabulary.of(FILMS), nobody) == []
    assert len(Vocabulary.of(nobody)) == 0


@given(st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan"))), max_size=60))
def test_every_number_is_in_exactly_one_bin_and_no_bin_of_training_is_empty(numbers):
    features = Features({"x": np.array(numbers, dtype=np.float32)})
    vocabulary = Vocabulary.of(features)
    found = vocabulary.memberships(features)
    assert len(vocabulary) <= MOST_BINS
    assert np.diff(found.indptr).tolist() == [int(not np.isnan(number)) for number in numbers]
    assert sorted(set(found.indices.tolist())) == list(range(len(vocabulary)))


@given(st.lists(st.lists(st.sampled_from(["a", "b", "cc", "d e"]), max_size=5), max_size=20))
def test_joined_text_says_what_its_parts_say(parts):
    features = Features({"x": np.array(["|".join(each) for each in parts], dtype=np.str_)})
    assert told(Vocabulary.of(features), features) == [[f"x={part}" for part in sorted(set(each))] for each in parts]


def test_values_are_counted_by_entity_and_column():
    features = Features({"genres": np.array(["a|b|c", "b", ""]), "year": np.array([1990.0, np.nan, 2000])})
    vocabulary = Vocabulary.of(features)
    found = vocabulary.memberships(features)
    assert found.rows.tolist() == [0, 0, 0, 0, 1, 2]
    assert vocabulary.values_per_column(found).tolist() == [3, 3, 3, 1, 1, 1]
    nothing = vocabulary.memberships(Features({"genres": np.array(["z"])}))
    assert vocabulary.values_per_column(nothing).tolist() == []
