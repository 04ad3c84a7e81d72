import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cfbench.dataset import Dataset, Entities, Origin
from cfbench.ratings import RatingScale
from cfbench.splits.holdout import Holdout
from cfbench.splits.kfold import KFold
from cfbench.splits.split import Split

N_USERS, N_ITEMS = 12, 15


@st.composite
def datasets(draw):
    cells = draw(st.lists(st.integers(0, N_USERS * N_ITEMS - 1), min_size=5, max_size=80, unique=True))
    stars = draw(st.lists(st.integers(1, 5), min_size=len(cells), max_size=len(cells)))
    return dataset(np.array(cells), np.array(stars))


def dataset(cells, stars):
    return Dataset(
        name="drawn",
        users=Entities(np.array([f"u{n}" for n in range(N_USERS)])),
        items=Entities(np.array([f"i{n}" for n in range(N_ITEMS)])),
        user_index=(cells // N_ITEMS).astype(np.int32),
        item_index=(cells % N_ITEMS).astype(np.int32),
        ratings=stars.astype(np.float32),
        timestamps=None,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin("MIT", ""),
    )


splitters = st.one_of(
    st.floats(0.15, 0.85).map(lambda share: Holdout(share=share)), st.integers(2, 5).map(lambda k: KFold(k=k))
)
seeds = st.integers(0, 2**63)


@given(datasets(), splitters, seeds)
def test_both_parts_together_are_all_rows_and_no_row_is_in_both(data, splitter, seed):
    for fold in splitter.folds(data, seed):
        together = np.concatenate([fold.train_rows, fold.test_rows])
        assert sorted(together.tolist()) == list(range(len(data)))
        assert fold.train_rows.dtype == fold.test_rows.dtype == np.int64


@given(datasets(), splitters, seeds)
def test_the_same_seed_gives_the_same_rows(data, splitter, seed):
    for one, other in zip(splitter.folds(data, seed), splitter.folds(data, seed), strict=True):
        assert Split.of(data, "s", one).fingerprint == Split.of(data, "s", other).fingerprint


@given(datasets(), splitters, seeds)
def test_no_pair_of_the_test_is_in_training(data, splitter, seed):
    for fold in splitter.folds(data, seed):
        pairs = data.user_index.astype(np.int64) * N_ITEMS + data.item_index
        assert not np.intersect1d(pairs[fold.train_rows], pairs[fold.test_rows]).size


@given(datasets(), seeds)
def test_the_parts_of_kfold_partition_the_rows(data, seed):
    tests = np.concatenate([fold.test_rows for fold in KFold(k=4).folds(data, seed)])
    assert sorted(tests.tolist()) == list(range(len(data)))


@settings(max_examples=50)
@given(datasets(), splitters, seeds, st.randoms(use_true_random=False))
def test_codes_are_never_learned_from_test_rows(data, splitter, seed, random):
    for fold in splitter.folds(data, seed):
        cells = data.user_index.astype(np.int64) * N_ITEMS + data.item_index
        stars = data.ratings.copy()
        cells[fold.test_rows] = [random.randrange(N_USERS * N_ITEMS) for _ in fold.test_rows]
        stars[fold.test_rows] = [random.randint(1, 5) for _ in fold.test_rows]
        before, after = Split.of(data, "s", fold), Split.of(dataset(cells, stars), "s", fold)
        np.testing.assert_array_equal(before.train.users, after.train.users)
        np.testing.assert_array_equal(before.train.items, after.train.items)
        np.testing.assert_array_equal(before.user_coding.positions, after.user_coding.positions)
        np.testing.assert_array_equal(before.item_coding.positions, after.item_coding.positions)
        assert (before.train.n_users, before.train.n_items) == (after.train.n_users, after.train.n_items)


@given(datasets(), splitters, seeds)
def test_global_random_state_is_left_alone(data, splitter, seed):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - this is what must not change
    splitter.folds(data, seed)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
