from collections import Counter

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st

from cfbench.data.preprocessing import Binarise, KCore, MinimumRatings
from cfbench.errors import DataError

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=50, unique=True)
steps = st.one_of(
    st.builds(KCore, k=st.integers(1, 4)),
    st.builds(MinimumRatings, user=st.integers(1, 4), item=st.integers(1, 4)),
    st.builds(Binarise, threshold=st.integers(1, 5), keep=st.sampled_from(["all", "relevant"])),
)


def core_one_by_one(rows, k):
    """The k-core by dropping a single row at a time, as slowly as it can be written."""
    rows = list(rows)
    while True:
        users, items = Counter(user for user, _ in rows), Counter(item for _, item in rows)
        lonely = next((row for row in rows if min(users[row[0]], items[row[1]]) < k), None)
        if lonely is None:
            return rows
        rows.remove(lonely)


def rows_of(data):
    users, items = data.users.ids[data.user_index].tolist(), data.items.ids[data.item_index].tolist()
    return list(zip(users, items, strict=True))


@given(pairs, st.integers(1, 4))
def test_the_core_is_what_is_left_after_dropping_rows_one_by_one(make_dataset, rows, k):
    expected = core_one_by_one(rows, k)
    data = make_dataset([(*row, 3) for row in rows])
    try:
        core = KCore(k=k).apply(data)
    except DataError:
        assert not expected
        return
    assert rows_of(core) == [(f"u{user}", f"i{item}") for user, item in expected]
    assert np.bincount(core.user_index).min() >= k
    assert np.bincount(core.item_index).min() >= k


@given(pairs, steps, st.randoms(use_true_random=False))
def test_a_step_leaves_a_data_set_whose_every_entity_has_a_rating_on_the_scale(make_dataset, rows, step, random):
    data = make_dataset([(*row, random.randint(1, 5)) for row in rows])
    try:
        result = step.apply(data)
    except DataError:
        reject()
    if len(result) < len(data):
        assert np.bincount(result.user_index, minlength=len(result.users)).min() > 0
        assert np.bincount(result.item_index, minlength=len(result.items)).min() > 0
    assert result.ratings.min() >= result.scale.low
    assert result.ratings.max() <= result.scale.high
    assert set(rows_of(result)) <= set(rows_of(data))


@given(pairs, steps)
def test_a_step_leaves_the_data_it_was_given_alone(make_dataset, rows, step):
    data, copy = (make_dataset([(*row, 1 + row[0] % 5) for row in rows]) for _ in range(2))
    try:
        step.apply(data)
    except DataError:
        reject()
    assert data.fingerprint == copy.fingerprint
