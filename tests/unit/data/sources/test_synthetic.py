import numpy as np
import pytest

import cfbench.data.sources.synthetic as module
from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic


@pytest.fixture
def storage(tmp_path):
    return Storage(None, tmp_path / "cache")


def pairs(data):
    return data.user_index.astype(np.int64) * len(data.items) + data.item_index


def test_it_has_the_size_asked_for_with_distinct_pairs_on_the_scale(storage):
    data = Synthetic(n_users=200, n_items=100, n_ratings=5_000).load(storage)
    assert (len(data), len(data.users), len(data.items)) == (5_000, 200, 100)
    assert len(np.unique(pairs(data))) == 5_000
    assert np.unique(data.ratings).tolist() == [1, 2, 3, 4, 5]
    assert (data.scale.low, data.scale.high, data.relevant_from) == (1, 5, 4)


def test_every_user_has_a_rating_and_every_listed_item_too(storage):
    data = Synthetic(n_users=300, n_items=2_000, n_ratings=900, popularity_exponent=1.2).load(storage)
    assert np.bincount(data.user_index, minlength=300).min() >= 1
    assert np.bincount(data.item_index, minlength=len(data.items)).min() >= 1
    assert len(data.items) < 2_000


@pytest.mark.parametrize(("users", "items", "ratings"), [(30, 20, 600), (30, 20, 590), (2, 2, 2), (5, 2, 10)])
def test_a_full_or_nearly_full_matrix_is_possible(storage, users, items, ratings):
    data = Synthetic(n_users=users, n_items=items, n_ratings=ratings).load(storage)
    assert len(np.unique(pairs(data))) == ratings


def test_half_steps_when_asked_for(storage):
    data = Synthetic(n_users=100, n_items=50, n_ratings=3_000, step=0.5).load(storage)
    assert set(np.unique(data.ratings * 2)) == set(range(2, 11))


def test_the_same_seed_gives_the_same_data_and_another_seed_does_not(storage):
    plan = {"n_users": 60, "n_items": 40, "n_ratings": 900}
    first = Synthetic(**plan).load(storage)
    assert Synthetic(**plan).load(storage).fingerprint == first.fingerprint
    assert Synthetic(**plan, seed=1).load(storage).fingerprint != first.fingerprint


def test_the_same_seed_gives_the_same_data_on_any_machine(storage):
    data = Synthetic(n_users=60, n_items=40, n_ratings=900).load(storage)
    assert data.fingerprint[:16] == "fc3ab7fc1a944f85"


def test_generation_leaves_global_random_state_alone(storage):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - this is what must not change
    Synthetic().load(storage)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_popularity_and_activity_follow_their_exponents(storage):
    steep = Synthetic(popularity_exponent=1.0, activity_exponent=0.8).load(storage)
    flat = Synthetic(popularity_exponent=0.0, activity_exponent=0.0).load(storage)

    def top_tenth(index):
        counts = np.sort(np.bincount(index))[::-1]
        return counts[: len(counts) // 10].sum() / counts.sum()

    assert top_tenth(steep.item_index) > 0.3
    assert top_tenth(steep.user_index) > 0.3
    assert top_tenth(flat.item_index) < 0.15
    assert np.ptp(np.bincount(flat.user_index)) <= 1


def test_an_item_is_drawn_in_proportion_to_its_weight():
    # Two of three items with weights 2 : 1 : 1. Without replacement, item 0 is left out with probability
    # 2 * (1/4 * 1/3) = 1/6.
    drawn = module._distinct_pairs(np.full(60_000, 2), np.array([2, 1, 1]), np.random.default_rng(0))
    assert np.bincount(drawn % 3)[0] / 60_000 == pytest.approx(5 / 6, abs=0.006)


def test_the_exact_draw_has_the_same_odds(monkeypatch):
    monkeypatch.setattr(module, "_ROUNDS", 0)
    drawn = module._distinct_pairs(np.full(60_000, 2), np.array([2, 1, 1]), np.random.default_rng(0))
    assert len(np.unique(drawn)) == 120_000
    assert np.bincount(drawn % 3)[0] / 60_000 == pytest.approx(5 / 6, abs=0.006)


def test_ratings_can_be_explained_up_to_the_noise(storage):
    data = Synthetic(noise=0.0, n_users=300, n_items=60, n_ratings=9_000).load(storage)
    noisy = Synthetic(noise=2.0, n_users=300, n_items=60, n_ratings=9_000).load(storage)

    def spread_within_items(d):
        sums = np.bincount(d.item_index, weights=d.ratings) / np.bincount(d.item_index)
        return np.std(d.ratings - sums[d.item_index])

    assert spread_within_items(data) < 0.85 < spread_within_items(noisy)


def test_several_chunks_join_without_gap_or_overlap(storage, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 1_000)
    data = Synthetic(n_users=500, n_items=300, n_ratings=7_777).load(storage)
    assert len(np.unique(pairs(data))) == 7_777
    assert np.all(np.diff(data.user_index) >= 0)
    assert np.bincount(data.user_index, minlength=500).min() >= 1


def test_large_data_is_cached(storage, monkeypatch):
    monkeypatch.setattr(module, "_WORTH_CACHING", 100)
    first = Synthetic(n_users=20, n_items=20, n_ratings=100).load(storage)
    monkeypatch.setattr(Synthetic, "_generated", lambda _: pytest.fail("generated again"))
    assert Synthetic(n_users=20, n_items=20, n_ratings=100).load(storage).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_users": 1}, "n_users=1: expected a whole number of at least 2"),
        ({"n_ratings": 10}, "n_ratings=10: expected a number from n_users"),
        ({"n_ratings": 10**9}, "n_ratings=1000000000: expected a number from n_users"),
        ({"step": 0.3}, "step=0.3: expected 1 or 0.5"),
        ({"noise": -1.0}, "noise=-1.0: expected a number of at least 0"),
    ],
)
def test_impossible_plans_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Synthetic(**wrong)
