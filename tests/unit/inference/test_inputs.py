"""What a worker is told: newcomers, features, pairs; nothing of the truth."""

from dataclasses import replace

import numpy as np
import pytest

from cfbench.data.dataset import Entities
from cfbench.data.splits.split import Fold, Split
from cfbench.inference.inputs import EvaluationInputs, mapped_array, pairs_file
from cfbench.inference.pair_order import PairOrder

# Users 0, 1 and items 4, 0 are in training (items get the codes 0 and 1); users 2, 4 and items 1, 3 are cold.
TRAIN = [(0, 4, 5), (1, 0, 3), (1, 4, 1)]
TEST = [(4, 3, 2), (2, 4, 4), (1, 1, 3), (4, 0, 5), (2, 3, 1)]
GENRES = np.array(["Drama", "War", "", "War|Drama", "Comedy"])


def described(make_split, users=None, items=None):
    """The split of the rows above, with columns in the entity tables."""
    bare = make_split(TRAIN, TEST)
    dataset = replace(
        bare.dataset,
        users=Entities(bare.dataset.users.ids, users or {}),
        items=Entities(bare.dataset.items.ids, items or {}),
    )
    return Split.of(dataset, "by-hand", Fold("", bare.train_rows, bare.test_rows))


def of_test_rows(split, queries):
    """The codes of users and items of the test rows, in the split's order."""
    order = PairOrder.of(split)
    return [column[np.argsort(order.order)][: order.n_tested].tolist() for column in queries.pairs]


def test_training_features_are_in_the_order_of_codes(make_split):
    split = described(make_split, items={"genres": GENRES, "title": GENRES})
    assert split.train.item_features.columns["genres"].tolist() == ["Comedy", "Drama"]
    assert list(split.train.item_features.columns) == ["genres"]
    assert split.train.user_features is None


def test_cold_test_entities_with_features_get_codes_of_their_own_in_table_order(make_split):
    split = described(make_split, items={"genres": GENRES})
    cold_entities = EvaluationInputs.of(split).cold_entities
    assert cold_entities.users is None
    assert cold_entities.items.columns["genres"].tolist() == ["War", "War|Drama"]
    # Nothing is known of the new users.
    assert of_test_rows(split, cold_entities.queries) == [[2, 2, 1, 2, 2], [3, 0, 2, 1, 3]]
    assert cold_entities.queries.ranked_users.tolist() == [1, 2, 2]


def test_new_users_are_ranked_apart_when_they_have_features(make_split):
    split = described(make_split, users={"age": np.arange(5) * 10.0})
    cold_entities = EvaluationInputs.of(split).cold_entities
    assert cold_entities.users.columns["age"].tolist() == [20, 40]
    assert of_test_rows(split, cold_entities.queries) == [[3, 2, 1, 3, 2], [2, 0, 2, 1, 2]]
    assert cold_entities.queries.ranked_users.tolist() == [1, 2, 3]


@pytest.mark.parametrize("columns", [{}, {"title": GENRES}])
def test_without_features_there_are_no_newcomers(make_split, columns):
    assert EvaluationInputs.of(described(make_split, items=columns)).cold_entities is None


def test_where_everybody_is_known_there_are_no_newcomers(make_split):
    split = make_split([(0, 0, 1), (1, 1, 2)], [(0, 1, 3), (1, 0, 4)])
    items = Entities(split.dataset.items.ids, {"year": np.array([1990.0, 2000.0])})
    known = Split.of(replace(split.dataset, items=items), "x", Fold("", split.train_rows, split.test_rows))
    assert known.train.item_features is not None
    assert EvaluationInputs.of(known).cold_entities is None


def test_models_without_cold_entities_get_the_usual_queries(make_split):
    split = described(make_split, users={"age": np.arange(5) * 10.0}, items={"genres": GENRES})
    asked = EvaluationInputs.of(split).queries
    assert of_test_rows(split, asked) == [[2, 2, 1, 2, 2], [2, 0, 2, 1, 2]]
    assert asked.ranked_users.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    "users", [None, {"age/years": np.array([1, 2, np.nan, 4, 5]), "": np.array(["a", "b", "", "d", "é"])}]
)
def test_inputs_read_back_as_they_were_written(make_split, tmp_path, users):
    written = EvaluationInputs.of(described(make_split, users=users, items={"genres": GENRES}))
    written.write(tmp_path)
    read = EvaluationInputs.read(tmp_path)
    assert read.tie_seed == written.tie_seed
    for name in ("users", "items", "ratings", "timestamps", "n_users", "n_items", "scale"):
        assert np.array_equal(getattr(read.train, name), getattr(written.train, name))
    pairs = [(read.queries, written.queries), (read.cold_entities.queries, written.cold_entities.queries)]
    for ours, theirs in pairs:
        for name in ("ranked_users", "pairs"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    for ours, theirs in [
        (read.train.user_features, written.train.user_features),
        (read.train.item_features, written.train.item_features),
        (read.cold_entities.users, written.cold_entities.users),
        (read.cold_entities.items, written.cold_entities.items),
    ]:
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert list(ours.columns) == list(theirs.columns)
            for name, column in ours.columns.items():
                np.testing.assert_array_equal(column, theirs.columns[name])


def test_no_test_rating_reaches_the_worker(make_split, tmp_path):
    split = make_split([(0, 0, 1), (1, 1, 1)], [(0, 1, 4.5), (1, 0, 4.5)])
    EvaluationInputs.of(split).write(tmp_path)
    for path in tmp_path.rglob("*.npy"):
        assert 4.5 not in np.load(path).tolist()


def test_pairs_can_be_read_later_than_the_rest(make_split, tmp_path):
    written = EvaluationInputs.of(described(make_split, items={"genres": GENRES}))
    written.write(tmp_path)
    read = EvaluationInputs.read(tmp_path, with_pairs=False)
    assert read.queries.pairs.size == read.cold_entities.queries.pairs.size == 0
    assert read.cold_entities.queries.ranked_users.tolist() == [1, 2, 2]
    for cold, queries in ((False, written.queries), (True, written.cold_entities.queries)):
        with pairs_file(tmp_path, cold=cold).open("rb") as file:
            assert np.array_equal(mapped_array(file), queries.pairs)
