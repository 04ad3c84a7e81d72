"""Layers and networks of them: derivatives held to autograd, batch normalisation to torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_torch.layers import BatchNorm, Dropout, Linear, ReLU
from cfbench_torch.link import Link
from cfbench_torch.nn import NeuralNetwork
from cfbench_torch.optimizer import packed

USERS, ITEMS = 5, 4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid() -> Ratings:
    users, items = (axis.ravel().astype(np.int32) for axis in np.indices((USERS, ITEMS)))
    values = np.random.default_rng(0).integers(1, 6, len(users)).astype(np.float32)
    return Ratings(users, items, values, None, USERS, ITEMS, RatingScale(1, 5))


def pairs_and_truth(train: Ratings) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(np.stack([train.users, train.items])), torch.tensor(np.array(train.ratings))


def with_gradients(*tensors: torch.Tensor) -> list[torch.Tensor]:
    return list(packed(dict(enumerate(tensors)))[1].values())


def test_packed_tensors_share_values_and_gradients_with_the_flat_one():
    tensors = {"row": torch.tensor([1.0, 2.0]), "square": torch.tensor([[3.0, 4.0], [5.0, 6.0]])}
    flat, views = packed(tensors)
    row, square = views["row"], views["square"]
    assert flat.tolist() == [1, 2, 3, 4, 5, 6]
    flat.add_(1)
    flat.grad[3] = 7.0
    assert row.tolist() == [2, 3]
    assert square.grad.tolist() == [[0, 7], [0, 0]]


def test_a_linear_layer_by_hand():
    weight, bias = with_gradients(torch.tensor([[1.0, 2.0]]), torch.tensor([0.5]))
    layer = Linear(weight, bias)
    assert layer.forward(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), generator()).tolist() == [[11.5], [1.5]]
    assert layer.backward(torch.tensor([[1.0], [10.0]])).tolist() == [[1, 2], [10, 20]]
    assert weight.grad.tolist() == [[13, 4]]  # 1 * (3, 4) + 10 * (1, 0)
    assert bias.grad.tolist() == [11]


def test_a_rectifier_passes_on_what_is_positive():
    layer = ReLU()
    assert layer.forward(torch.tensor([[-1.0, 0.0, 2.0]]), generator()).tolist() == [[0, 0, 2]]
    assert layer.backward(torch.tensor([[5.0, 6.0, 7.0]])).tolist() == [[0, 0, 7]]


@given(share=st.floats(0.01, 0.9), seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_dropout_leaves_out_the_same_numbers_forwards_and_backwards_and_none_afterwards(share, seed):
    layer, ones = Dropout(share), torch.ones(20, 50)
    outputs = layer.forward(ones, generator(seed))
    assert all(value in (0.0, pytest.approx(1 / (1 - share))) for value in outputs.unique().tolist())
    assert torch.equal(layer.backward(ones), outputs)
    assert torch.equal(layer.infer(ones), ones)
    assert outputs.mean().item() == pytest.approx(1, abs=0.5 * (share / (1 - share)) ** 0.5)


def norm(width: int) -> BatchNorm:
    gain, shift = with_gradients(torch.linspace(0.5, 1.5, width), torch.linspace(-1, 1, width))
    return BatchNorm(gain, shift, torch.zeros(width), torch.ones(width))


def test_batch_normalisation_is_torchs_own_in_training_and_afterwards():
    mine, inputs = norm(3), torch.randn(8, 3, generator=generator(1), requires_grad=True)
    theirs = torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        theirs.weight.copy_(mine.gain)
        theirs.bias.copy_(mine.shift)
    expected = theirs(inputs)
    torch.testing.assert_close(mine.forward(inputs.detach(), generator()), expected.detach())
    weights = torch.randn(8, 3, generator=generator(2))
    (expected * weights).sum().backward()
    torch.testing.assert_close(mine.backward(weights), inputs.grad)
    torch.testing.assert_close(mine.gain.grad, theirs.weight.grad)
    torch.testing.assert_close(mine.shift.grad, theirs.bias.grad)
    theirs.eval()
    torch.testing.assert_close(mine.infer(inputs.detach().clone()), theirs(inputs).detach())


def test_a_batch_of_one_row_is_normalised_by_the_running_means_which_stay():
    layer = norm(2)
    outputs = layer.forward(torch.tensor([[2.0, 3.0]]), generator())
    assert outputs.tolist()[0] == pytest.approx([0.5 * 2 - 1, 1.5 * 3 + 1], abs=1e-4)  # mean 0, variance 1
    assert torch.isfinite(layer.backward(torch.ones(1, 2))).all()
    assert layer.mean.tolist() == [0, 0]
    assert layer.variance.tolist() == [1, 1]


@pytest.mark.parametrize("link", [Link(), Link(0, 5.5, sigmoid=True)], ids=["identity", "range"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", [(6,), (6, 3)])
def test_the_written_out_gradient_of_a_network_is_that_of_autograd(hidden, batch_norm, link):
    train = grid()
    model = NeuralNetwork(layers=hidden, user_size=3, item_size=2, batch_norm=batch_norm)
    model.link_ = link
    # In double precision: what the last bits of a sum are differs between processors.
    network = model.network({name: one.double() for name, one in model.initial_tensors(train, generator(3)).items()})
    pairs, truth = pairs_and_truth(train)
    truth = truth.double()
    total = network.learn(pairs, truth, generator(4))

    own = {name: tensor.clone().requires_grad_(True) for name, tensor in network.tensors.items()}
    outputs = torch.cat([own["user_table"][pairs[0]], own["item_table"][pairs[1]]], dim=1)
    for n in range(len(hidden)):
        outputs = functional.relu(functional.linear(outputs, own[f"weight_{n}"], own[f"bias_{n}"]))
        if batch_norm:
            outputs = functional.batch_norm(outputs, None, None, own[f"gain_{n}"], own[f"shift_{n}"], training=True)
    last = len(hidden)
    predicted = link.rating(functional.linear(outputs, own[f"weight_{last}"], own[f"bias_{last}"]).squeeze(1))
    squares = (predicted - truth).square()
    squares.mean().backward()
    torch.testing.assert_close(total, squares.sum().detach())
    learned = [tensor.grad.reshape(-1) for name, tensor in own.items() if not name.startswith("running_")]
    torch.testing.assert_close(network.parameters[0].grad, torch.cat(learned))


def test_a_trained_network_answers_by_running_means_not_by_who_is_asked_together():
    model = NeuralNetwork(layers=(8,), batch_norm=True, dropout=0.2, embedding_dropout=0.1)
    model.fit(grid(), FitContext(0, device="cpu"))
    together = model.predict(*np.indices((USERS, ITEMS), dtype=np.int32).reshape(2, -1))
    alone = [
        model.predict(np.array([u], dtype=np.int32), np.array([i], dtype=np.int32))[0]
        for u in range(5)
        for i in range(4)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_early_stopping_takes_back_the_running_means_too():
    train, reports = grid(), []
    settings = {"layers": (8,), "batch_norm": True, "schedule": "constant", "learning_rate": 0.05, "weight_decay": 0.0}
    stopped = NeuralNetwork(epochs=60, patience=2, validation_share=0.5, **settings)
    stopped.fit(train, FitContext(0, device="cpu", on_epoch=reports.append))
    best = len(reports) - 2
    there = NeuralNetwork(epochs=60, stop_after=best, validation_share=0.5, **settings)
    there.fit(train, FitContext(0, device="cpu"))
    users = np.arange(USERS, dtype=np.int32)
    assert np.array_equal(stopped.score_items(users), there.score_items(users))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"dropout": 1.0}, "dropout"),
        ({"embedding_dropout": -0.1}, "embedding_dropout"),
        ({"batch_norm": 1}, "batch_norm"),
    ],
)
def test_nonsense_options_of_a_network_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        NeuralNetwork(**parameters)
