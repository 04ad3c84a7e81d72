"""``wide-deep``: indicators, gradients, and cold-start entities."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from cfbench.model import Features, FitContext, Ratings, RatingScale
from cfbench.testing import require_the_same_in_a_new_process
from cfbench_torch.device import Device
from cfbench_torch.link import Link
from cfbench_torch.wide_deep import Indicators, WideDeep, WideDeepNetwork

USERS = Features({"gender": np.array(["F", "M", "F", "M", "F", "M"])})
ITEMS = Features({"genres": np.array(["Drama", "War", "Drama|War", "", "Drama"])})


def ratings(described: bool = True) -> Ratings:
    """Women like dramas and men war films, more than anything else matters; all 30 pairs are rated."""
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((6, 5)))
    women, drama, war = users % 2 == 0, np.isin(items, (0, 2, 4)), np.isin(items, (1, 2))
    values = (2 + 2 * (women & drama) + 2 * (~women & war)).astype(np.float32)
    train = Ratings(users, items, values, None, 6, 5, RatingScale(1, 5))
    return replace(train, user_features=USERS, item_features=ITEMS) if described else train


def fitted(train: Ratings | None = None, **parameters) -> WideDeepNetwork:
    model = WideDeepNetwork(**{"layers": (8,), "user_size": 3, "item_size": 2, **parameters})
    model.fit(train or ratings(), FitContext(1, device="cpu"))
    return model


def network(id_dropout: float = 0.0, link=None, seed: int = 0) -> WideDeep:
    """Random numbers everywhere but in the rows of the unknown."""
    device = Device("cpu", 1)
    model = WideDeepNetwork(
        layers=(4, 3), user_size=3, item_size=2, wide_scale=2.0, dropout=0.0, id_dropout=id_dropout, fewest_ratings=1
    )
    model.torch_device_, model.link_ = device, link or Link()
    built = model.network(model.initial_tensors(ratings(), device.generator(seed)))
    built.parameters[0] += torch.randn(built.parameters[0].shape, generator=device.generator(seed + 1))
    for side in (built.users, built.items):
        side.table[-1] = 0
    return built


def all_pairs(n_users: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(list(itertools.product(range(n_users), range(n_items))), dtype=np.int32)
    return pairs[:, 0], pairs[:, 1]


def test_rows_hold_the_shares_of_indicators_cold_entities_come_before_the_unknown():
    films = Indicators.of(ITEMS, 5)  # Drama, War
    assert films.rows.tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0, 0], [1, 0], [0, 0]]
    rows = films.with_cold(Features({"genres": np.array(["War", "Opera"])}))
    assert rows[5:].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert films.with_cold(None) is films.rows


def test_without_features_rows_are_empty():
    assert Indicators.of(None, 5).rows.shape == (6, 0)
    assert Indicators.of(None, 5).with_cold(ITEMS).shape == (11, 0)


def test_indicators_beyond_the_most_columns_share_them(monkeypatch):
    monkeypatch.setattr("cfbench_torch.design_matrix.MOST_COLUMNS", 2)
    features = Features({"tags": np.array(["a|c", "b", "c|d"])})  # columns: a and c in 0, b and d in 1
    assert Indicators.of(features, 3).rows.tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0, 0]]


def test_the_score_of_a_pair_crosses_its_own_indicators():
    model = network()
    users, items = model.users, model.items
    for tensor in (users.table, users.effects, items.table, items.effects, model.crosses):
        tensor.zero_()
    model.tensors["weight_2"].zero_()
    model.tensors["bias_2"].zero_()
    model.crosses.copy_(torch.tensor([[1.0, 10.0], [100.0, 1000.0]]))  # (F, M) x (Drama, War)
    users.effects.copy_(torch.tensor([0.1, 0.2]))
    items.effects.copy_(torch.tensor([0.01, 0.02]))
    users.table[0, -1], items.table[2, -1] = 5.0, 7.0  # biases
    pairs = torch.tensor([[0, 0, 1, 1, 6], [0, 2, 1, 3, 2]])
    expected = [
        2 * (5 + 0.1 + 0.01 + 1),  # a woman, a drama
        2 * (5 + 7 + 0.1 + 0.015 + (1 + 10) / 2),  # half drama, half war
        2 * (0.2 + 0.02 + 1000),
        2 * 0.2,  # item 3 has no features
        2 * (7 + 0.015),  # the unknown user
    ]
    torch.testing.assert_close(model.rate(pairs), torch.tensor(expected))


@pytest.mark.parametrize("id_dropout", [0.0, 0.5])
@pytest.mark.parametrize("link", [Link(), Link(0, 5.5, sigmoid=True)], ids=["identity", "range"])
def test_the_written_out_gradient_is_that_of_autograd(link, id_dropout):
    model, train, device = network(id_dropout, link), ratings(), Device("cpu", 1)
    pairs, truth = device.tensor(np.stack([train.users, train.items])), device.tensor(train.ratings)
    total = model.learn(pairs, truth, device.generator(3))
    written = model.parameters[0].grad.clone()

    named = {name: tensor.clone().requires_grad_(True) for name, tensor in model.tensors.items()}
    generator, kept = device.generator(3), []
    for codes, unknown in zip(pairs, (6, 5), strict=True):
        drawn = torch.rand(codes.shape, generator=generator)
        kept.append(torch.where(drawn < id_dropout, unknown, codes) if id_dropout else codes)
    user, item = named["users_table"][kept[0]], named["items_table"][kept[1]]
    x_user, x_item = model.users.rows[pairs[0]], model.items.rows[pairs[1]]
    hidden = torch.cat([user[:, :-1], x_user, item[:, :-1], x_item], dim=1)
    for n in range(3):
        hidden = hidden @ named[f"weight_{n}"].T + named[f"bias_{n}"]
        hidden = hidden.relu() if n < 2 else hidden
    wide = user[:, -1] + item[:, -1] + x_user @ named["users_effects"] + x_item @ named["items_effects"]
    wide = wide + torch.einsum("bi,ij,bj->b", x_user, named["crosses"], x_item)
    squares = (link.rating(hidden.squeeze(1) + 2.0 * wide) - truth).square()
    squares.mean().backward()
    for side in ("users", "items"):
        named[f"{side}_table"].grad[-1] = 0  # the unknown learns nothing
    torch.testing.assert_close(written, torch.cat([value.grad.reshape(-1) for value in named.values()]))
    torch.testing.assert_close(total, squares.sum().detach())


@pytest.mark.parametrize("described", [True, False])
def test_score_items_and_predict_give_the_same_answers(described):
    model = fitted(ratings(described))
    scores = model.score_items(np.arange(7, dtype=np.int32))
    predicted = model.predict(*all_pairs(7, 5)).reshape(7, 5)
    assert scores.dtype == predicted.dtype == np.float32
    np.testing.assert_allclose(scores, predicted, rtol=1e-5)


@pytest.mark.parametrize("pairs", [1, 3, 1000])
def test_chunks_do_not_change_the_answers(monkeypatch, pairs):
    model = fitted()
    users = np.arange(7, dtype=np.int32)
    whole = model.score_items(users)
    monkeypatch.setattr("cfbench_torch.layers._HIDDEN_NUMBERS", {"cpu": pairs * 8})
    np.testing.assert_allclose(model.score_items(users), whole, rtol=1e-5)


def test_rows_of_the_unknown_stay_zero():
    network = fitted(id_dropout=0.3).network_
    assert not network.users.table[-1].any()
    assert not network.items.table[-1].any()


def test_the_rarely_rated_have_no_embedding_of_their_own():
    model = fitted(fewest_ratings=6)  # users have 5 ratings each, items 6
    assert not model.network_.users.table.any()
    assert model.network_.items.table[:-1].any(dim=1).all()


def test_a_cold_entity_is_predicted_from_its_indicators_alone():
    model = fitted(epochs=60, learning_rate=0.01, dropout=0.0, wide_scale=4.0, id_dropout=0.3, weight_decay=0.0)
    model.add_cold_entities(
        Features({"gender": np.array(["F", "M"])}), Features({"genres": np.array(["Drama", "War"])})
    )
    users, items = np.array([6, 6, 7, 7], dtype=np.int32), np.array([5, 6, 5, 6], dtype=np.int32)
    women_drama, women_war, men_drama, men_war = model.predict(users, items)
    assert min(women_drama, men_war) > max(women_war, men_drama) + 1
    assert model.score_items(users).shape == (4, 5)  # new items are no candidates


def test_biases_that_are_shown_are_the_wide_part_of_an_item_alone():
    model = fitted()
    shown, net = model.embeddings(), model.network_
    assert shown.users.shape == (6, 3)
    assert shown.items.shape == (5, 2)
    drama, war = net.items.effects.tolist()
    expected = model.wide_scale * (net.items.table[2, -1].item() + (drama + war) / 2)
    assert shown.item_biases[2] == pytest.approx(expected, rel=1e-5)


def test_saved_it_answers_the_same_in_a_new_process():
    require_the_same_in_a_new_process(fitted(), ratings())


def test_loaded_it_answers_for_cold_entities_the_same(tmp_path):
    model = fitted()
    model.save(tmp_path)
    loaded = WideDeepNetwork.load(tmp_path)
    for each in (model, loaded):
        each.add_cold_entities(None, Features({"genres": np.array(["War|Drama", "Opera"])}))
    pairs = all_pairs(7, 8)
    np.testing.assert_array_equal(model.predict(*pairs), loaded.predict(*pairs))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layers", ()),
        ("layers", (0,)),
        ("user_size", 0),
        ("wide_scale", 0),
        ("dropout", 1.0),
        ("id_dropout", -0.1),
        ("fewest_ratings", 0),
    ],
)
def test_nonsense_is_refused_by_the_name_of_the_parameter(name, value):
    with pytest.raises(ValueError, match=name):
        WideDeepNetwork(**{name: value})
