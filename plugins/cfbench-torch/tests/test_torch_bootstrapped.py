"""``dot-bias-bootstrapped``: the prior from features, posterior modes, and cold-start entities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cfbench.data.sources.movietweetings import MovieTweetings100K
from cfbench.data.splits.cold_entities import ColdItems
from cfbench.data.splits.split import Split
from cfbench.model import Features, FitContext, Ratings, RatingScale, Vocabulary
from cfbench.testing import require_the_same_in_a_new_process
from cfbench_torch.bootstrapped import BootstrappedDotProduct
from cfbench_torch.design_matrix import DesignMatrix
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.empirical_bayes import PENALTIES, FeatureRidge, Prior, SideRatings, fit_ridge
from cfbench_torch.link import Link

COLOURS = Features({"colour": np.array(["red", "red", "blue", "blue"])})


def ridge(features: Features, numbers, counts, weighting: float = 1.0):
    vocabulary = Vocabulary.of(features)
    matrix = DesignMatrix.of(features, vocabulary)
    numbers = np.array(numbers, dtype=np.float64).reshape(len(matrix), -1)
    return fit_ridge(vocabulary, matrix, numbers, np.array(counts), weighting)


def expected(fit: FeatureRidge, features: Features) -> np.ndarray:
    return fit.expected(DesignMatrix.of(features, fit.vocabulary))


def genre_tastes(n_users: int = 60, n_items: int = 40, seed: int = 0) -> Ratings:
    """Every second item is a comedy, liked by everybody; all pairs but a few are rated."""
    rng = np.random.default_rng(seed)
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((n_users, n_items)))
    kept = rng.permutation(len(users))[: len(users) // 2]
    kept = np.concatenate([np.arange(n_items), np.arange(n_users) * n_items, kept])
    users, items = users[kept], items[kept]
    ratings = np.clip(2 + 2 * (items % 2 == 0) + rng.normal(0, 0.3, len(users)), 1, 5).astype(np.float32)
    genres = np.where(np.arange(n_items) % 2 == 0, "Comedy", "War")
    return Ratings(
        users, items, ratings, None, n_users, n_items, RatingScale(1, 5), item_features=Features({"genres": genres})
    )


def fitted(train: Ratings | None = None, **parameters) -> BootstrappedDotProduct:
    model = BootstrappedDotProduct(n_factors=4, **parameters)
    model.fit(train or genre_tastes(), FitContext(1, device="cpu"))
    return model


def test_values_of_a_column_share_a_weight_of_one_and_missing_columns_are_the_mean():
    features = Features({"genres": np.array(["War", "Drama|War", ""]), "year": np.array([1990.0, np.nan, 2000.0])})
    matrix = DesignMatrix.of(features, Vocabulary.of(features))  # Drama, War, 1990, 2000
    means = matrix.means(np.array([1.0, 3.0, 5.0]))
    np.testing.assert_allclose(means, [1.5 / 4, 2.5 / 4, 1 / 6, 5 / 6])  # of entities 0 and 1; of 0 and 2
    ((_, rows),) = matrix.centred(means)
    centred = [[-0.375, 0.375, 5 / 6, -5 / 6], [0.125, -0.125, 0, 0], [0, 0, -1 / 6, 1 / 6]]
    np.testing.assert_allclose(rows, centred)


@pytest.mark.parametrize("numbers", [1, 5, 1000])
def test_chunks_of_rows_change_no_regression(monkeypatch, numbers):
    rng = np.random.default_rng(0)
    features = Features({"colour": np.array(["red", "blue", "green"])[rng.integers(0, 3, 30)]})
    learned, counts = rng.normal(size=(30, 2)), rng.integers(1, 9, 30)
    whole = ridge(features, learned, counts)
    monkeypatch.setattr("cfbench_torch.design_matrix._CHUNK", numbers)
    again = ridge(features, learned, counts)
    np.testing.assert_allclose(expected(again, features), expected(whole, features))
    np.testing.assert_allclose(again.loo_error, whole.loo_error)


def test_ridge_shrinks_a_planted_effect_exactly_as_its_formula_says(monkeypatch):
    monkeypatch.setattr("cfbench_torch.empirical_bayes.PENALTIES", (0.25,))
    found = ridge(COLOURS, [3, 3, 1, 1], counts=[1, 1, 1, 1])
    # Rows less their mean are (-.5, .5) for red and (.5, -.5) for blue: x'y = 2 each way, X'X = [[1, -1], [-1, 1]]; the
    # penalty of .25 times 4 entities is 1, so c = (2 + 1)^-1 (-2, 2), and red gets 2 + (.5 + .5) 2/3.
    np.testing.assert_allclose(found.coefficients.ravel(), [-2 / 3, 2 / 3])
    np.testing.assert_allclose(expected(found, COLOURS).ravel(), [2 + 2 / 3, 2 + 2 / 3, 2 - 2 / 3, 2 - 2 / 3])


def test_a_strong_effect_is_recovered_with_the_smallest_penalty_and_none_with_the_largest():
    rng = np.random.default_rng(0)
    red = rng.random(400) < 0.5
    features = Features({"colour": np.where(red, "red", "blue")})
    planted = ridge(features, np.where(red, 3.0, 1.0) + rng.normal(0, 0.01, 400), np.full(400, 5))
    np.testing.assert_allclose(expected(planted, features).ravel(), np.where(red, 3, 1), atol=0.01)
    assert planted.loo_error[0] == pytest.approx(1e-4, rel=0.2)
    alternating = ridge(Features({"colour": np.array(["red", "blue", "red", "blue"])}), [3, 3, 1, 1], np.full(4, 5))
    assert alternating.penalty == PENALTIES[-1]


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), weighting=st.sampled_from([0.0, 0.5, 1.0]))
def test_the_leave_one_out_error_is_that_of_a_fit_without_the_entity(seed, weighting):
    rng = np.random.default_rng(seed)
    features = Features({"colour": np.array(["red", "blue", "green"])[rng.integers(0, 3, 9)]})
    learned, counts = rng.normal(size=(9, 2)), rng.integers(1, 9, 9)
    fit = ridge(features, learned, counts, weighting)
    vocabulary = Vocabulary.of(features)
    weights = counts**weighting
    ((_, rows),) = DesignMatrix.of(features, vocabulary).centred(fit.centre)
    design = np.column_stack([np.ones(9), rows])
    penalty = np.diag([0.0] + [fit.penalty * weights.sum()] * len(vocabulary))
    square = np.zeros(2)
    for out in range(9):
        rest = np.arange(9) != out
        weighed = design[rest] * weights[rest, None]
        solved = np.linalg.solve(weighed.T @ design[rest] + penalty, weighed.T @ learned[rest])
        square += counts[out] * (learned[out] - design[out] @ solved) ** 2
    np.testing.assert_allclose(fit.loo_error, square / counts.sum(), rtol=1e-6)


def test_weights_decide_between_the_many_and_the_popular():
    features = Features({"colour": np.array(["red"] * 4)})
    numbers, counts = [0, 0, 0, 4], [1, 1, 1, 9]
    means = [ridge(features, numbers, counts, weighting).mean[0] for weighting in (0.0, 0.5, 1.0)]
    assert means == pytest.approx([1, 2, 3])


def test_of_entities_without_features_their_weighted_mean_is_expected():
    prior, means = Prior.of(None, np.array([[1.0, 0.0], [4.0, 3.0]]), np.array([1, 2]), weighting=1.0)
    np.testing.assert_allclose(means, [[3, 2], [3, 2]])
    np.testing.assert_allclose(prior.means(COLOURS), [[3, 2]] * 4)


def side_ratings(ratings, link, noise: float) -> SideRatings:
    """Entity 0 rated others 0 and 1, entity 1 other 1; directions are (1, 1) and (2, 1), levels 3 and 2."""
    return SideRatings(
        codes=np.array([0, 1, 0], dtype=np.int32),
        others=np.array([0, 1, 1], dtype=np.int32),
        ratings=np.array(ratings, dtype=np.float32),
        directions=np.array([[1.0, 1.0], [2.0, 1.0]]),
        levels=np.array([3.0, 2.0]),
        link=link,
        noise=noise,
    )


def test_few_ratings_move_the_mode_from_the_prior_mean_as_bayes_says():
    means, variances = np.array([[0.5, 0.0], [0.0, 1.0], [7.0, 7.0]]), np.array([0.5, 2.0])
    entities, numbers = side_ratings([4, 5, 3], Link(), noise=0.25).posterior_modes(means, variances, at_most=2)
    assert entities.tolist() == [1, 0]  # by number of ratings; entity 2 has none
    # Entity 1: missed 5 - (2 + 1) = 2; variance of its prediction 4 * .5 + 2 = 4; gain V a / (4 + .25) = (1, 2) / 4.25.
    np.testing.assert_allclose(numbers[0], [2 / 4.25, 1 + 4 / 4.25])
    directions = np.array([[1.0, 1.0], [2.0, 1.0]])
    precision = directions.T @ directions / 0.25 + np.diag(1 / variances)
    pull = directions.T @ (np.array([4, 3]) - [3, 2]) / 0.25 + means[0] / variances
    np.testing.assert_allclose(numbers[1], np.linalg.solve(precision, pull))


def test_entities_with_more_ratings_than_the_limit_are_left_out():
    entities, _ = side_ratings([4, 5, 3], Link(), 1.0).posterior_modes(np.zeros((2, 2)), np.ones(2), at_most=1)
    assert entities.tolist() == [1]
    entities, numbers = side_ratings([4, 5, 3], Link(), 1.0).posterior_modes(np.zeros((2, 2)), np.ones(2), at_most=0)
    assert len(entities) == 0
    assert numbers.shape == (0, 2)


def curved_loss(side: SideRatings, point: np.ndarray, variances: np.ndarray) -> float:
    """The loss of entity 0 at ``point``, who is expected at 0."""
    scores = torch.from_numpy(side.levels + side.directions @ point)
    errors = side.link.rating(scores).numpy() - side.ratings[[0, 2]]
    return float((errors**2).sum() / side.noise + (point**2 / variances).sum())


@pytest.mark.parametrize("ratings", [(4, 5, 3), (5, 5, 5), (1, 1, 1)])
def test_behind_a_curved_link_the_loss_is_at_a_minimum(ratings):
    side, variances = side_ratings(ratings, Link(0.5, 5.5, sigmoid=True), noise=0.5), np.array([0.5, 2.0])
    (_, first), numbers = side.posterior_modes(np.zeros((2, 2)), variances, at_most=2)
    assert first == 0
    steps = 0.05 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    around = [curved_loss(side, numbers[1] + step, variances) for step in steps]
    assert curved_loss(side, numbers[1], variances) < min(around)


@settings(max_examples=50)
@given(ratings=st.tuples(*[st.floats(-20, 20, width=32)] * 3), noise=st.floats(0.01, 10))
def test_whatever_the_ratings_the_loss_is_never_above_that_of_the_prior_mean(ratings, noise):
    side, variances = side_ratings(ratings, Link(0.5, 5.5, sigmoid=True), noise), np.array([0.5, 2.0])
    _, numbers = side.posterior_modes(np.zeros((2, 2)), variances, at_most=2)
    before = curved_loss(side, np.zeros(2), variances)
    assert curved_loss(side, numbers[1], variances) <= before * (1 + 1e-9)


def test_chunks_of_entities_change_no_answer(monkeypatch):
    means, variances = np.zeros((2, 2)), np.ones(2)
    _, whole = side_ratings([4, 5, 3], Link(0, 6, sigmoid=True), 1.0).posterior_modes(means, variances, at_most=2)
    monkeypatch.setattr("cfbench_torch.empirical_bayes._CHUNK", 1)
    _, chunked = side_ratings([4, 5, 3], Link(0, 6, sigmoid=True), 1.0).posterior_modes(means, variances, at_most=2)
    np.testing.assert_allclose(chunked, whole)


def test_taking_a_factorisation_apart_and_together_changes_no_bit():
    model = fitted(bias_scale=3.0)
    again = model.factors_.with_sides(model.factors_.sides())
    assert torch.equal(again.table, model.factors_.table)


def test_a_cold_item_of_a_known_genre_has_the_expected_vector_and_bias():
    model = fitted()
    model.add_cold_entities(None, Features({"genres": np.array(["Comedy", "War"])}))
    _, items = model.network_.sides()
    ridge = model.item_prior_.biases
    for item, row in ((40, [1, 0]), (41, [0, 1])):  # the vocabulary is Comedy, War
        bias = ridge.mean + (row - ridge.centre) @ ridge.coefficients
        np.testing.assert_allclose(items[item, -1], bias[0], rtol=1e-5)
    predicted = model.predict(np.zeros(3, dtype=np.int32), np.array([40, 41, 42], dtype=np.int32))
    assert predicted[0] == pytest.approx(4, abs=0.3)
    assert predicted[1] == pytest.approx(2, abs=0.3)
    assert predicted[1] < predicted[2] < predicted[0]  # the unknown item is neither


def test_cold_items_are_no_candidates_and_new_users_get_the_training_catalogue():
    model = fitted()
    model.add_cold_entities(None, Features({"genres": np.array(["Comedy", "War"])}))
    assert model.score_items(np.array([0, 60], dtype=np.int32)).shape == (2, 40)


def test_an_item_with_one_rating_keeps_most_of_its_genres_expectation():
    full = genre_tastes()
    kept = np.flatnonzero(full.items != 0)
    kept = np.append(kept, np.flatnonzero(full.items == 0)[:1])
    train = Ratings(
        full.users[kept],
        full.items[kept],
        full.ratings[kept],
        None,
        full.n_users,
        full.n_items,
        full.scale,
        item_features=full.item_features,
    )
    posterior, gradient = fitted(train), fitted(train, answers=0)
    pairs = np.arange(60, dtype=np.int32), np.zeros(60, dtype=np.int32)  # item 0 is a comedy: about 4
    assert abs(posterior.predict(*pairs).mean() - 4) < abs(gradient.predict(*pairs).mean() - 4)
    assert posterior.predict(*pairs).mean() == pytest.approx(4, abs=0.3)


def test_without_posterior_modes_training_entities_are_those_of_dot_bias_to_the_bit():
    train = genre_tastes()
    plain = BiasedDotProduct(n_factors=4)
    plain.fit(train, FitContext(1, device="cpu"))
    assert torch.equal(fitted(train, answers=0).factors_.table, plain.network_.table)


def test_saved_it_answers_the_same_in_a_new_process():
    require_the_same_in_a_new_process(fitted(), genre_tastes())


def test_loaded_it_gives_cold_items_the_same_embeddings(tmp_path):
    model = fitted()
    model.save(tmp_path)
    loaded = BootstrappedDotProduct.load(tmp_path)
    cold_entities = Features({"genres": np.array(["Comedy", "War|Comedy", "Opera"])})
    for each in (model, loaded):
        each.add_cold_entities(None, cold_entities)
    assert torch.equal(model.network_.table, loaded.network_.table)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weighting", 1.5),
        ("answers", -1),
        ("answers", 2.5),
        ("answers", 1001),
        ("vector_spread", 0),
        ("bias_scale", -1),
        ("n_factors", 0),
    ],
)
def test_nonsense_is_refused_by_the_name_of_the_parameter(name, value):
    with pytest.raises(ValueError, match=name):
        BootstrappedDotProduct(**{name: value})


def test_introduced_new_items_are_predicted_better_than_as_unknown_ones():
    dataset = MovieTweetings100K().load(None)
    split = Split.of(dataset, "cold-items", ColdItems(given=(0,)).folds(dataset, 5)[0])
    model = BootstrappedDotProduct(n_factors=8, epochs=2, fewest_steps=200)
    model.fit(split.train, FitContext(0, device="cpu"))

    def squared_error(items: np.ndarray) -> float:
        return float(np.mean((model.predict(split.test.users, items) - split.test.ratings) ** 2))

    before = squared_error(split.test.items)
    strange = split.test.items == split.train.n_items
    positions, turn = np.unique(split.test.item_positions[strange], return_inverse=True)
    model.add_cold_entities(None, Features.of(dataset.items.columns, positions))
    items = split.test.items.copy()
    items[strange] = split.train.n_items + turn
    assert squared_error(items) < before - 0.1


def test_a_prior_comes_back_from_saved_files(tmp_path):
    model = fitted()
    model.save(tmp_path)
    saved = BootstrappedDotProduct.load(tmp_path).item_prior_
    comedy = Features({"genres": np.array(["Comedy"])})
    np.testing.assert_array_equal(saved.means(comedy), model.item_prior_.means(comedy))
    assert isinstance(saved.vectors, FeatureRidge)
    assert list(saved.vectors.vocabulary.marks) == ["genres"]
