"""Products of factors for pairs of codes, chunk by chunk."""

import numpy as np
import pytest

from cfbench.model import FitContext, arrays, pair_products


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.standard_normal((7, 5)).astype(np.float32), rng.standard_normal((4, 5)).astype(np.float32)


def test_products_are_those_of_the_full_table(factors):
    users, items = np.indices((7, 4), dtype=np.int32).reshape(2, -1)
    found = pair_products(*factors, users, items)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (factors[0] @ factors[1].T).ravel(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", [1, 10, 33])
def test_chunks_change_no_bit(factors, cells, monkeypatch):
    users, items = np.indices((7, 4), dtype=np.int32).reshape(2, -1)
    whole = pair_products(*factors, users, items)
    monkeypatch.setattr(arrays, "_CELLS", cells)
    assert pair_products(*factors, users, items).tobytes() == whole.tobytes()


def test_no_pairs_and_no_factors_are_fine(factors):
    none = np.empty(0, dtype=np.int32)
    assert pair_products(*factors, none, none).shape == (0,)
    assert pair_products(np.zeros((2, 0)), np.zeros((2, 0)), np.array([0, 1]), np.array([1, 1])).tolist() == [0, 0]


def test_the_seed_for_libraries_has_32_bits():
    assert FitContext(seed=2**40 + 5).library_seed == 5
    assert FitContext(seed=2**32 - 1).library_seed == 2**32 - 1
