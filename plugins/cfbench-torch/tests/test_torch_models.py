"""What the three models answer."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cfbench.model import FitContext, ModelError, Ratings, RatingScale
from cfbench_torch.device import Device
from cfbench_torch.dot import DotProduct
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.dot_lookup import LookupDotProduct
from cfbench_torch.link import Link, link_for
from cfbench_torch.matrix_factorization import Factors, initial_table
from cfbench_torch.nn import NeuralNetwork, embedding_size

MODELS = {
    "dot": DotProduct,
    "dot without range": lambda: DotProduct(y_range=None, n_factors=3),
    "dot-bias": BiasedDotProduct,
    "dot-bias without offset": lambda: BiasedDotProduct(offset="none", bias_scale=1.0),
    "dot-bias with dropout": lambda: BiasedDotProduct(user_dropout=0.3, item_dropout=0.6),
    "dot-lookup": LookupDotProduct,
    "nn": NeuralNetwork,
    "nn with all options": lambda: NeuralNetwork(batch_norm=True, dropout=0.2, embedding_dropout=0.1),
    "nn of two layers": lambda: NeuralNetwork(layers=(8, 4), y_range=None),
}


def ratings(n_users: int = 9, n_items: int = 7, seed: int = 0) -> Ratings:
    rng = np.random.default_rng(seed)
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((n_users, n_items)))
    values = rng.integers(1, 6, len(users)).astype(np.float32)
    return Ratings(users, items, values, None, n_users, n_items, RatingScale(1, 5))


def fitted(model, train=None):
    model.fit(train or ratings(), FitContext(1, device="cpu"))
    return model


def factors(table: list[list[float]], **settings) -> Factors:
    """One known user and one known item: rows are user, unknown, item, unknown."""
    return Factors(torch.tensor(table), 1, n_factors=2, **settings)


PAIR = torch.zeros((2, 1), dtype=torch.int32)


def test_a_score_is_the_dot_product_plus_scaled_biases_plus_offset():
    table = [[1.0, 2.0, 0.1], [0.0, 0.0, 0.0], [3.0, -1.0, 0.2], [0.0, 0.0, 0.0]]
    model = factors(table, link=Link(), offset=3.0, bias_scale=2.0)
    assert model.rate(PAIR).item() == pytest.approx(3 * 1 - 2 * 1 + 2 * (0.1 + 0.2) + 3)


def test_a_sigmoid_range_puts_score_0_in_the_middle_and_never_reaches_its_ends():
    link = Link(0, 5.5, sigmoid=True)
    assert link.rating(torch.zeros(1)).item() == pytest.approx(2.75)
    assert link.rating(torch.tensor([np.log(10.0)])).item() == pytest.approx(5.0)  # 5.5 * 10 / 11
    assert link.score(5.0) == pytest.approx(np.log(10.0))
    assert link.slope(torch.tensor([2.75])).item() == pytest.approx(5.5 / 4)


def test_scale_range_is_the_scale_widened_by_a_tenth_on_each_side():
    assert link_for("scale", ratings()) == Link(pytest.approx(0.6), pytest.approx(5.4), sigmoid=True)


def test_the_observed_range_reaches_from_the_lowest_to_the_highest_training_rating():
    one = np.zeros(3, dtype=np.int32)
    train = Ratings(one, one, np.array([2, 4.5, 3], dtype=np.float32), None, 1, 1, RatingScale(0, 10))
    assert link_for("observed", train) == Link(2, 4.5, sigmoid=True)


def test_the_observed_range_of_equal_ratings_is_refused_with_advice():
    one = np.zeros(2, dtype=np.int32)
    train = Ratings(one, one, np.full(2, 4, dtype=np.float32), None, 1, 1, RatingScale(1, 5))
    with pytest.raises(ModelError, match=r"all are 4.*scale"):
        DotProduct(y_range="observed").fit(train, FitContext(0))


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("link", [Link(), Link(0, 5.5, sigmoid=True)], ids=["identity", "range"])
@pytest.mark.parametrize("dropout", [(0.0, 0.0), (0.3, 0.6)], ids=["whole", "dropout"])
def test_the_written_out_gradient_is_that_of_autograd(biases, link, dropout):
    train, device = ratings(), Device("cpu", 1)
    table = initial_table(train, 4 + biases, device.generator(0))
    model = Factors(table, train.n_users, 4, link, offset=0.4, bias_scale=3.0, dropout=dropout)
    model.table += torch.randn(model.table.shape, generator=device.generator(5))
    pairs = device.tensor(np.stack([train.users, train.items]))
    truth = device.tensor(train.ratings)
    total = model.learn(pairs, truth, device.generator(7))

    table = model.table.clone().requires_grad_(True)
    vectors = table[pairs.long() + torch.tensor([[0], [train.n_users + 1]])]
    if any(dropout):
        kept = 1 - torch.tensor(dropout).view(2, 1, 1)
        mask = (torch.rand(vectors.shape, generator=device.generator(7)) < kept) / kept
        mask[:, :, 4:] = 1
        vectors = vectors * mask
    score = (vectors[0, :, :4] * vectors[1, :, :4]).sum(1) + 0.4 + 3 * vectors[:, :, 4:].sum((0, 2))
    squares = (link.rating(score) - truth).square()
    squares.mean().backward()
    torch.testing.assert_close(model.table.grad, table.grad)
    torch.testing.assert_close(total, squares.sum().detach())


@pytest.mark.parametrize("name", MODELS)
def test_score_items_and_predict_give_the_same_answers(name):
    model = fitted(MODELS[name]())
    users = np.arange(10, dtype=np.int32)  # the last one is unknown
    scores = model.score_items(users)
    pairs = np.array(list(itertools.product(users, range(7))), dtype=np.int32)
    predicted = model.predict(pairs[:, 0], pairs[:, 1]).reshape(10, 7)
    assert scores.dtype == predicted.dtype == np.float32
    np.testing.assert_allclose(scores, predicted, rtol=1e-5)


@pytest.mark.parametrize("pairs", [1, 7, 1000])
def test_chunks_do_not_change_the_answers(monkeypatch, pairs):
    model = fitted(NeuralNetwork())
    users = np.arange(10, dtype=np.int32)
    whole = model.score_items(users)
    monkeypatch.setattr("cfbench_torch.layers._HIDDEN_NUMBERS", {"cpu": pairs * 100})
    np.testing.assert_allclose(model.score_items(users), whole, rtol=1e-5)


def test_dot_cannot_say_anything_about_the_unknown():
    model = fitted(DotProduct())
    answers = model.predict(np.array([0, 9, 0, 9], dtype=np.int32), np.array([0, 0, 7, 7], dtype=np.int32))
    assert np.isnan(answers).tolist() == [False, True, True, True]
    assert np.isnan(model.score_items(np.array([9], dtype=np.int32))).all()


def test_dot_bias_falls_back_to_the_known_sides_bias_and_then_to_the_mean():
    train = ratings()
    model = fitted(BiasedDotProduct(y_range=None), train)
    table, scale = model.network_.table.numpy(), model.bias_scale
    answers = model.predict(np.array([2, 9, 9], dtype=np.int32), np.array([7, 3, 7], dtype=np.int32))
    expected = [train.mean + scale * table[2, -1], train.mean + scale * table[10 + 3, -1], train.mean]
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


def test_dot_bias_without_an_offset_cannot_say_anything_about_the_unknown():
    model = fitted(BiasedDotProduct(offset="none"))
    assert np.isnan(model.predict(np.array([9], dtype=np.int32), np.array([0], dtype=np.int32))).all()


def test_nn_answers_for_one_unknown_side_but_not_for_two():
    model = fitted(NeuralNetwork())
    answers = model.predict(np.array([9, 0, 9], dtype=np.int32), np.array([0, 7, 7], dtype=np.int32))
    assert np.isnan(answers).tolist() == [False, False, True]


@pytest.mark.parametrize("name", MODELS)
def test_training_never_moves_the_rows_of_the_unknown(name):
    model = fitted(MODELS[name]())
    if isinstance(model, NeuralNetwork):
        rows = [model.network_.users[-1], model.network_.items[-1]]
    elif isinstance(model, LookupDotProduct):  # they start as NaN, and say so; elsewhere they start as 0
        rows = [model.module_.users[-1].isfinite(), model.module_.items[-1].isfinite()]
    else:
        rows = [model.network_.table[9], model.network_.table[-1]]
    assert not any(row.any() for row in rows)


def test_answers_stay_within_the_range():
    model = fitted(BiasedDotProduct(y_range=(0.5, 5.5), learning_rate=0.5, epochs=20))
    scores = model.score_items(np.arange(9, dtype=np.int32))
    assert scores.min() >= 0.5
    assert scores.max() <= 5.5


@pytest.mark.parametrize("model", [NeuralNetwork, DotProduct, BiasedDotProduct, LookupDotProduct])
@pytest.mark.parametrize(
    ("y_range", "stated"), [((0.5, 5.5), (0.5, 5.5)), ("observed", (1, 5)), ("scale", (0.6, 5.4)), (None, None)]
)
def test_a_fitted_model_states_the_range_of_its_ratings(model, y_range, stated):
    assert fitted(model(y_range=y_range, epochs=1)).rating_range() == stated


@pytest.mark.parametrize("model", [NeuralNetwork, DotProduct, BiasedDotProduct])
def test_a_mistyped_range_that_no_rating_is_in_is_kept_to_and_shows_in_the_error(model):
    train = ratings()
    answers = fitted(model(y_range=(0, 0.5)), train).predict(train.users, train.items)
    assert np.isfinite(answers).all()
    assert answers.min() >= 0
    assert answers.max() <= 0.5
    assert np.sqrt(np.mean((answers - train.ratings) ** 2)) > 2  # the mean rating is about 3


@pytest.mark.parametrize(
    ("rating", "score"), [(9, np.log(999)), (5, np.log(999)), (1, -np.log(999)), (-9, -np.log(999))]
)
def test_the_score_of_a_rating_at_or_beyond_the_end_of_a_range_is_finite(rating, score):
    assert Link(1, 5, sigmoid=True).score(rating) == pytest.approx(score)


@pytest.mark.parametrize("y_range", [(5, 1), (1,), "wide", (0, "5"), (0, float("inf")), (float("nan"), 1)])
def test_a_malformed_range_is_refused(y_range):
    with pytest.raises(ValueError, match="y_range"):
        DotProduct(y_range=y_range)


@pytest.mark.parametrize(
    ("model", "parameters", "named"),
    [
        (DotProduct, {"n_factors": 0}, "n_factors"),
        (BiasedDotProduct, {"offset": "median"}, "offset"),
        (BiasedDotProduct, {"bias_scale": 0}, "bias_scale"),
        (BiasedDotProduct, {"item_dropout": 1.0}, "item_dropout"),
        (NeuralNetwork, {"layers": ()}, "layers"),
        (NeuralNetwork, {"layers": (10, 0)}, "layers"),
        (NeuralNetwork, {"user_size": -1}, "user_size"),
    ],
)
def test_nonsense_parameters_of_a_model_are_named(model, parameters, named):
    with pytest.raises(ValueError, match=named):
        model(**parameters)


@pytest.mark.parametrize(("n_levels", "size"), [(944, 74), (1665, 102), (10**6, 600)])
def test_embedding_sizes_follow_the_published_rule(n_levels, size):
    assert embedding_size(n_levels) == size


def test_unset_embedding_sizes_count_the_unknown_row():
    network = fitted(NeuralNetwork()).network_
    assert network.users.shape == (10, embedding_size(10))
    assert network.items.shape == (8, embedding_size(8))


def test_warming_up_starts_no_threads_and_runs_nothing_backwards():
    script = (
        "import os, torch\n"
        "from cfbench_torch.bootstrapped import BootstrappedDotProduct; from cfbench_torch.dot import DotProduct\n"
        "from cfbench_torch.nn import NeuralNetwork; from cfbench_torch.wide_deep import WideDeepNetwork\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "torch.Tensor.backward = None\n"
        "for model in (BootstrappedDotProduct, DotProduct, NeuralNetwork, WideDeepNetwork): model.warm_up()\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads are counted in /proc, which this system lacks")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("nn")])
def test_embeddings_of_factors_add_up_to_the_score(name):
    model = fitted(MODELS[name]())
    shown, codes = model.embeddings(), np.arange(9, dtype=np.int32)
    scores = shown.users @ shown.items.T + shown.offset
    if shown.user_biases is not None:
        scores += shown.user_biases[:, None] + shown.item_biases
    link = link_for(model.y_range, ratings())
    np.testing.assert_allclose(link.rating(torch.tensor(scores)).numpy(), model.score_items(codes), rtol=1e-5)
    assert (shown.user_biases is not None) == isinstance(model, BiasedDotProduct)


def test_embeddings_of_nn_are_its_tables_of_different_widths():
    shown = fitted(NeuralNetwork(user_size=3, item_size=5)).embeddings()
    assert shown.users.shape == (9, 3)
    assert shown.items.shape == (7, 5)
    assert shown.user_biases is None
