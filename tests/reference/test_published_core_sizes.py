"""Sizes of k-cores of MovieLens 1M that others print."""

import os
from pathlib import Path

import pytest

from cfbench.data.dataset import Dataset
from cfbench.data.preprocessing import KCore
from cfbench.data.sources.movielens import MovieLens1M
from cfbench.data.sources.source import Storage


@pytest.fixture(scope="module")
def ml_1m(tmp_path_factory) -> Dataset:
    folder = os.environ.get("CFBENCH_DATA")
    if not folder:
        pytest.skip("CFBENCH_DATA is unset: it names the folder with ml-1m, which may not be redistributed")
    return MovieLens1M().load(Storage(Path(folder), tmp_path_factory.mktemp("cache"), may_download=False))


def test_the_5_core_is_the_data_that_sasrec_was_measured_on(ml_1m):
    # Kang and McAuley 2018 (arXiv:1808.09781), table II: 6,040 users, 3,416 items after those with fewer than 5 actions
    # are discarded; 163.5 actions a user and 289.1 an item, which leaves out the two held out of each user.
    core = KCore(k=5).apply(ml_1m)
    learned_from = len(core) - 2 * len(core.users)
    assert (len(core.users), len(core.items)) == (6_040, 3_416)
    assert round(learned_from / len(core.users), 1) == 163.5
    assert round(learned_from / len(core.items), 1) == 289.1


def test_the_20_core_is_the_data_that_bars_calls_movielens1m_m2(ml_1m):
    # Zhu et al. 2022 (arXiv:2205.09626), after Yu and Qin 2020: 6,022 users, 3,043 items, 796,244 training and 99,455
    # test interactions of a division into 8, 1 and 1 tenths; with as many for validation that is exactly the 20-core.
    core = KCore(k=20).apply(ml_1m)
    assert (len(core.users), len(core.items), len(core)) == (6_022, 3_043, 796_244 + 2 * 99_455)
