import pytest

from cfbench.data.preprocessing import KCore
from cfbench.errors import DataError

BLOCK = [(user, item, 3) for user in (0, 1) for item in (0, 1)]


def test_dropping_goes_on_until_everyone_left_has_enough(make_dataset):
    # User 2 has two ratings, but item 2 has one; without it user 2 has one, and item 0 falls back to two.
    data = make_dataset([*BLOCK, (2, 0, 3), (2, 2, 3)])
    core = KCore(k=2).apply(data)
    assert core.users.ids.tolist() == ["u0", "u1"]
    assert core.items.ids.tolist() == ["i0", "i1"]
    assert len(core) == 4


def test_a_chain_falls_link_by_link(make_dataset):
    chain = [(n, n + shift, 3) for n in range(2, 40) for shift in (0, 1)]
    assert len(KCore(k=2).apply(make_dataset([*BLOCK, *chain]))) == 4


def test_a_core_of_itself_is_itself(make_dataset):
    core = KCore(k=2).apply(make_dataset([*BLOCK, (2, 0, 3)]))
    assert KCore(k=2).apply(core) is core


def test_an_empty_core_says_so(make_dataset):
    with pytest.raises(DataError, match=r"k-core\[k=3\] of 'by-hand' leaves none of its 4 ratings; use a smaller k"):
        KCore(k=3).apply(make_dataset(BLOCK))


@pytest.mark.parametrize("k", [0, 2.0, True, "5"])
def test_k_must_be_a_whole_number_of_at_least_one(k):
    with pytest.raises(ValueError, match=r"^k=.*: expected a whole number of at least 1$"):
        KCore(k=k)
