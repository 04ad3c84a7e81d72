import numpy as np
from scipy.sparse import csr_array

from cfbench.model import Features, Vocabulary
from cfbench_myfm.posterior import Posterior, Weights, summed
from cfbench_myfm.side import Side, described

GENRES = Features({"genres": np.array(["Comedy|Drama", "", "Drama"])})


def test_vector_and_bias_are_the_sums_of_the_definition():
    # x = (1, .5) with w = (2, 4), V = ((1, 2), (3, -1)): s = (2.5, 1.5); c = 2 + 2 + .5 (1 * 3 - 2 * 1) = 4.5.
    vectors, biases = summed(
        csr_array(np.array([[1.0, 0.5]])), np.array([2.0, 4.0]), np.array([[1.0, 2.0], [3.0, -1.0]])
    )
    np.testing.assert_allclose(vectors, [[2.5, 1.5]])
    np.testing.assert_allclose(biases, [4.5])


def test_two_sides_add_up_to_the_machine_over_all_columns():
    rng = np.random.default_rng(0)
    left, right = rng.random((1, 3)), rng.random((1, 4))
    linear, factors = rng.standard_normal(7), rng.standard_normal((7, 2))
    x = np.concatenate([left, right], axis=1)[0]
    pairs = sum(factors[a] @ factors[b] * x[a] * x[b] for a in range(7) for b in range(a))
    s, c = summed(csr_array(left), linear[:3], factors[:3])
    t, d = summed(csr_array(right), linear[3:], factors[3:])
    np.testing.assert_allclose(c + d + (s * t).sum(axis=1), linear @ x + pairs)


def test_a_side_has_own_columns_history_and_side_information():
    users, items = np.array([0, 0, 1], np.int32), np.array([0, 2, 2], np.int32)
    side = Side.of(items, users, 3, 2, GENRES)
    half = 1 / np.sqrt(2)
    assert side.groups == (3, 2, 2)
    np.testing.assert_allclose(
        side.matrix.toarray(),
        [[1, 0, 0, 1, 0, half, half], [0, 1, 0, 0, 0, 0, 0], [0, 0, 1, half, half, 0, 1]],
    )


def test_neither_history_nor_features_leave_a_column_each():
    side = Side.of(np.array([0, 1], np.int32), None, 2, 3, None)
    assert side.groups == (2,)
    np.testing.assert_allclose(side.matrix.toarray(), np.eye(2))


def test_unknown_values_are_no_columns():
    vocabulary = Vocabulary.of(GENRES)
    told = described(Features({"genres": np.array(["War|Drama", "War"])}), vocabulary)
    np.testing.assert_allclose(told.toarray(), [[0, 1], [0, 0]])


def test_a_newcomer_has_the_priors_mean_and_what_its_features_say():
    side = Side.of(np.arange(3, dtype=np.int32), None, 3, 3, GENRES)
    posterior = Posterior.empty(side, 1, 2)
    # Columns: three own, Comedy, Drama.
    linear = np.array([0.1, 0.2, 0.3, 1.0, 2.0])
    factors = np.array([[1, 0], [0, 1], [1, 1], [3.0, 0], [0, 5.0]])
    posterior.keep(0, side, Weights(linear, factors, 0.7, np.array([2.0, 4.0])))
    vectors, biases = posterior.extended(Features({"genres": np.array(["Drama", "War"])}))
    np.testing.assert_allclose(vectors, [*posterior.vectors[:3, 0], [2, 9], [2, 4], [2, 4]])
    # .7 of its own, 2 of Drama, and their product (2, 4) . (0, 5) = 20.
    np.testing.assert_allclose(biases[3:], [22.7, 0.7, 0.7])
