from itertools import pairwise

import numpy as np
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.splits.cold_entities import ColdItems, ColdUsers
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import (
    Holdout,
    KFold,
    LeaveOneOut,
    PerUserHoldout,
    Predefined,
    RepeatedHoldout,
    Temporal,
)
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale
from cfbench.registry.registry import Registry

N_USERS, N_ITEMS = 12, 15
SECONDS = 40


@st.composite
def datasets(draw):
    cells = draw(st.lists(st.integers(0, N_USERS * N_ITEMS - 1), min_size=5, max_size=80, unique=True))
    n = len(cells)
    stars = draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    times = draw(st.lists(st.integers(0, SECONDS), min_size=n, max_size=n))
    order = draw(st.permutations(range(n)))
    published = {"u1": PublishedFold(np.array(order[2:]), np.array(order[:2]))}
    return dataset(np.array(cells), np.array(stars), np.array(times), published)


def dataset(cells, stars, times, published):
    return Dataset(
        name="drawn",
        users=Entities(np.array([f"u{n}" for n in range(N_USERS)])),
        items=Entities(np.array([f"i{n}" for n in range(N_ITEMS)])),
        user_index=(cells // N_ITEMS).astype(np.int32),
        item_index=(cells % N_ITEMS).astype(np.int32),
        ratings=stars.astype(np.float32),
        timestamps=times,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin("MIT", ""),
        folds=published,
    )


shares = st.floats(0.15, 0.85)
curve = {
    "share": shares,
    "given": st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True).map(tuple),
    "order": st.sampled_from(["random", "time"]),
}
cold = st.one_of(st.builds(ColdUsers, **curve), st.builds(ColdItems, **curve))
temporal = st.one_of(st.builds(Temporal, share=shares), st.builds(Temporal, after=st.integers(1, SECONDS)))
partitioning = st.one_of(
    st.builds(Holdout, share=shares),
    st.builds(RepeatedHoldout, share=shares, n_repeats=st.integers(1, 3)),
    st.builds(KFold, k=st.integers(2, 5)),
    st.just(Predefined()),
    st.builds(PerUserHoldout, share=shares, minimum=st.integers(2, 4)),
    st.builds(LeaveOneOut, by=st.sampled_from(["random", "time"])),
    temporal,
)
splitters = st.one_of(partitioning, cold)
DRAWN = {Holdout, RepeatedHoldout, KFold, Predefined, PerUserHoldout, LeaveOneOut, Temporal, ColdUsers, ColdItems}
seeds = st.integers(0, 2**63)


def folds_of(splitter, data, seed):
    """Return the folds; data that does not suit the splitter is not what these tests are about."""
    try:
        return splitter.folds(data, seed)
    except DataError:
        reject()


def test_every_splitter_of_the_core_is_among_those_drawn():
    core = [plugin for plugin in Registry.discover().plugins("splitter") if plugin.distribution == "cfbench"]
    assert {plugin.load() for plugin in core} == DRAWN


@given(datasets(), partitioning, seeds)
def test_both_parts_together_are_all_rows_and_no_row_is_in_both(data, splitter, seed):
    for fold in folds_of(splitter, data, seed):
        together = np.concatenate([fold.train_rows, fold.test_rows])
        assert sorted(together.tolist()) == list(range(len(data)))
        assert fold.train_rows.dtype == fold.test_rows.dtype == np.int64
        assert fold.n_given is None


@given(datasets(), cold, seeds)
def test_on_a_curve_both_parts_and_the_reserve_not_given_together_are_all_rows(data, splitter, seed):
    folds = folds_of(splitter, data, seed)
    held_out = len(np.unique((data.user_index if splitter.entity == "user" else data.item_index)[folds[0].test_rows]))
    for fold in folds:
        together = np.concatenate([fold.train_rows, fold.test_rows])
        assert len(np.unique(together)) == len(together)
        assert len(data) - len(together) == held_out * (max(splitter.given) - fold.n_given)
        assert fold.train_rows.dtype == fold.test_rows.dtype == np.int64


@given(datasets(), cold, seeds)
def test_along_a_curve_training_grows_and_the_test_stays(data, splitter, seed):
    folds = folds_of(splitter, data, seed)
    assert [fold.n_given for fold in folds] == sorted(splitter.given)
    for smaller, larger in pairwise(folds):
        assert set(smaller.train_rows.tolist()) < set(larger.train_rows.tolist())
        np.testing.assert_array_equal(smaller.test_rows, larger.test_rows)


@given(datasets(), cold, seeds)
def test_every_entity_tested_on_a_curve_has_exactly_the_ratings_given_back(data, splitter, seed):
    entities = data.user_index if splitter.entity == "user" else data.item_index
    for fold in folds_of(splitter, data, seed):
        back = np.bincount(entities[fold.train_rows], minlength=max(N_USERS, N_ITEMS))
        assert np.all(back[entities[fold.test_rows]] == fold.n_given)


@given(datasets(), cold, seeds)
def test_given_back_by_time_are_the_earliest(data, splitter, seed):
    if splitter.order != "time":
        return
    entities = data.user_index if splitter.entity == "user" else data.item_index
    for fold in folds_of(splitter, data, seed):
        for entity in np.unique(entities[fold.test_rows]):
            known = data.timestamps[fold.train_rows[entities[fold.train_rows] == entity]]
            asked = data.timestamps[fold.test_rows[entities[fold.test_rows] == entity]]
            assert known.max(initial=0) <= asked.min()


@given(datasets(), temporal, seeds)
def test_every_training_row_is_older_than_every_test_row(data, splitter, seed):
    for fold in folds_of(splitter, data, seed):
        assert data.timestamps[fold.train_rows].max() < data.timestamps[fold.test_rows].min()


@given(datasets(), st.sampled_from(["random", "time"]), seeds)
def test_leaving_one_out_takes_one_row_of_everyone_who_has_two(data, by, seed):
    (fold,) = folds_of(LeaveOneOut(by=by), data, seed)
    counts = np.bincount(data.user_index, minlength=N_USERS)
    tested = np.bincount(data.user_index[fold.test_rows], minlength=N_USERS)
    assert tested.tolist() == (counts > 1).astype(int).tolist()


@given(datasets(), splitters, seeds)
def test_the_same_seed_gives_the_same_rows(data, splitter, seed):
    for one, other in zip(folds_of(splitter, data, seed), folds_of(splitter, data, seed), strict=True):
        assert Split.of(data, "s", one).fingerprint == Split.of(data, "s", other).fingerprint


@given(datasets(), splitters, seeds)
def test_no_pair_of_the_test_is_in_training(data, splitter, seed):
    for fold in folds_of(splitter, data, seed):
        pairs = data.user_index.astype(np.int64) * N_ITEMS + data.item_index
        assert not np.intersect1d(pairs[fold.train_rows], pairs[fold.test_rows]).size


@given(datasets(), seeds)
def test_the_parts_of_kfold_partition_the_rows(data, seed):
    tests = np.concatenate([fold.test_rows for fold in KFold(k=4).folds(data, seed)])
    assert sorted(tests.tolist()) == list(range(len(data)))


@settings(max_examples=50)
@given(datasets(), splitters, seeds, st.randoms(use_true_random=False))
def test_codes_are_never_learned_from_test_rows(data, splitter, seed, random):
    for fold in folds_of(splitter, data, seed):
        cells = data.user_index.astype(np.int64) * N_ITEMS + data.item_index
        stars = data.ratings.copy()
        cells[fold.test_rows] = [random.randrange(N_USERS * N_ITEMS) for _ in fold.test_rows]
        stars[fold.test_rows] = [random.randint(1, 5) for _ in fold.test_rows]
        altered = dataset(cells, stars, data.timestamps, data.folds)
        before, after = Split.of(data, "s", fold), Split.of(altered, "s", fold)
        np.testing.assert_array_equal(before.train.users, after.train.users)
        np.testing.assert_array_equal(before.train.items, after.train.items)
        np.testing.assert_array_equal(before.user_coding.positions, after.user_coding.positions)
        np.testing.assert_array_equal(before.item_coding.positions, after.item_coding.positions)
        assert (before.train.n_users, before.train.n_items) == (after.train.n_users, after.train.n_items)


@given(datasets(), splitters, seeds)
def test_codes_count_the_training_entities_and_all_others_are_unknown(data, splitter, seed):
    for fold in folds_of(splitter, data, seed):
        split = Split.of(data, "s", fold)
        for codes, asked, n, index in (
            (split.train.users, split.test.users, split.train.n_users, data.user_index),
            (split.train.items, split.test.items, split.train.n_items, data.item_index),
        ):
            assert np.unique(codes).tolist() == list(range(n))
            unknown = ~np.isin(index[fold.test_rows], index[fold.train_rows])
            np.testing.assert_array_equal(asked == n, unknown)
            assert asked.max() <= n


@given(datasets(), splitters, seeds)
def test_global_random_state_is_left_alone(data, splitter, seed):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - this is what must not change
    folds_of(splitter, data, seed)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
