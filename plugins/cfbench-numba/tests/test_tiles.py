import numpy as np
import pytest

from cfbench.model import Ratings, RatingScale
from cfbench_numba import tiles as module
from cfbench_numba.tiles import Tiles


@pytest.fixture
def train():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((50, 40)) < 0.3)
    order = rng.permutation(len(users))
    ratings = rng.integers(1, 6, size=len(users)).astype(np.float32)
    columns = users[order].astype(np.int32), items[order].astype(np.int32)
    return Ratings(*columns, ratings, None, 50, 40, RatingScale(1, 5))


def tiles_of(train, monkeypatch, block, seed=1):
    """Tiles of ``block`` users and items; a factor of one number takes 4 bytes."""
    monkeypatch.setattr(module, "_CACHE_BYTES", 2 * 4 * block)
    return Tiles.of(train, 1, np.random.default_rng(seed))


def rows(users, items, ratings):
    return sorted(zip(users.tolist(), items.tolist(), np.round(ratings, 4).tolist(), strict=True))


def test_every_rating_is_in_the_tiles_once_and_without_the_mean(train, monkeypatch):
    tiles = tiles_of(train, monkeypatch, block=7)
    wanted = rows(train.users, train.items, train.ratings - np.float32(train.mean))
    assert rows(tiles.users, tiles.items, tiles.ratings) == wanted
    assert tiles.starts[0] == 0
    assert tiles.starts[-1] == len(train)


def test_a_tile_holds_one_block_of_users_and_one_of_items(train, monkeypatch):
    tiles = tiles_of(train, monkeypatch, block=7)
    assert len(tiles.starts) - 1 == 8 * 6  # 50 users and 40 items in blocks of 7
    for number, (start, end) in enumerate(zip(tiles.starts[:-1], tiles.starts[1:], strict=True)):
        assert set((tiles.users[start:end] // 7).tolist()) <= {number // 6}
        assert set((tiles.items[start:end] // 7).tolist()) <= {number % 6}


def test_within_a_tile_a_users_ratings_stand_together_in_an_order_of_chance(train, monkeypatch):
    tiles = tiles_of(train, monkeypatch, block=64)
    assert np.all(np.diff(tiles.users) >= 0)
    other = tiles_of(train, monkeypatch, block=64, seed=2)
    assert np.array_equal(tiles.users, other.users)
    assert not np.array_equal(tiles.items, other.items)


def test_the_same_seed_gives_the_same_order(train, monkeypatch):
    first, second = (tiles_of(train, monkeypatch, block=7) for _ in range(2))
    assert np.array_equal(first.items, second.items)
