"""Oracles of every kind are found, honest models of data with and without structure are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic
from cfbench.data.splits.split import Fold, Split
from cfbench.data.splits.splitters import Holdout
from cfbench.evaluation import simple_predictors
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.sanity_checks import answer_warnings
from cfbench.evaluation.simple_predictors import SimplePredictors
from cfbench.evaluation.too_good import too_good
from cfbench.inference.output import ModelOutput


def split_of(tmp_path_factory, **parameters) -> Split:
    dataset = Synthetic(n_users=300, n_items=200, n_ratings=12_000, **parameters).load(
        Storage(None, tmp_path_factory.mktemp("cache"), may_download=False)
    )
    return Split.of(dataset, "holdout", Holdout().folds(dataset, 0)[0])


@pytest.fixture(scope="module")
def noisy(tmp_path_factory) -> Split:
    """Ratings like those of people: much of them nobody can predict."""
    return split_of(tmp_path_factory)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Split:
    """Ratings without noise, of which factors explain far more than biases do."""
    return split_of(tmp_path_factory, n_factors=2, noise=0.0)


def found(split, predictions=None, lists=None) -> list[str]:
    said = None if predictions is None else predictions.astype(np.float32)
    return list(too_good(Evaluation(split, ModelOutput(said, lists))))


def honest(split) -> np.ndarray:
    return SimplePredictors(split).low_rank


def rmse(split, predictions) -> float:
    return float(np.sqrt(np.mean((predictions - split.test.ratings) ** 2)))


def told(split, noise=0.0, share=1.0, step=1.0) -> np.ndarray:
    """Predict the truth, with noise, on a share of the pairs, or move the honest prediction a step towards it."""
    rng = np.random.default_rng(3)
    truth = split.test.ratings + rng.normal(0, 1, len(split.test)) * noise * rmse(split, honest(split))
    return np.where(rng.random(len(split.test)) < share, honest(split) + step * (truth - honest(split)), honest(split))


@pytest.mark.parametrize(
    "oracle",
    [{}, {"noise": 0.4}, {"noise": 0.9}, {"share": 0.2}, {"share": 0.2, "noise": 0.3}, {"step": 0.3}, {"step": 0.15}],
    ids=str,
)
def test_an_oracle_of_ratings_is_found_however_it_hides(noisy, oracle):
    predictions = told(noisy, **oracle)
    assert rmse(noisy, predictions) < rmse(noisy, honest(noisy)), "it gains by what it knows"
    (text, *_) = found(noisy, predictions)
    assert "biases and factors" in text


@pytest.mark.parametrize("split", ["noisy", "clean"])
def test_factors_and_biases_are_left_in_peace_on_ratings_with_and_without_noise(split, request):
    world = request.getfixturevalue(split)
    simple = SimplePredictors(world)
    assert found(world, simple.damped_biases) == found(world, simple.low_rank) == []
    assert found(world, np.full(len(world.test), np.nan)) == []


def test_where_factors_explain_much_beating_biases_by_far_is_no_sign(clean):
    assert rmse(clean, honest(clean)) < 0.7 * rmse(clean, SimplePredictors(clean).damped_biases)
    rng = np.random.default_rng(0)
    assert found(clean, honest(clean) + rng.normal(0, 0.05, len(clean.test))) == []
    assert found(clean, told(clean)) != []


def test_users_of_large_data_are_sampled_for_factors(noisy, monkeypatch):
    monkeypatch.setattr(simple_predictors, "_MOST_ROWS", 4000)
    again = replace(noisy)
    left_out = np.isnan(SimplePredictors(again).low_rank)
    assert set(np.unique(again.test.users[~left_out] % 3)) == {0}
    assert 0.5 < left_out.mean() < 0.8
    assert found(again, again.test.ratings) != []
    assert found(again, SimplePredictors(again).damped_biases) == []


def lists_of(split, share, base) -> np.ndarray:
    """Put a share of the relevant test items first, then the items of ``base``."""
    evaluation = Evaluation(split, ModelOutput(None, base))
    rng = np.random.default_rng(5)
    lists = base.copy()
    known = evaluation.relevant & (rng.random(len(split.test)) < share) & (split.test.items < split.train.n_items)
    for user in range(len(lists)):
        items = split.test.items[known & (evaluation.user_of_row == user)]
        lists[user] = [*items, *(item for item in base[user] if item not in items)][: lists.shape[1]]
    return lists


@pytest.fixture(scope="module")
def random_lists(noisy) -> np.ndarray:
    rng = np.random.default_rng(1)
    n_users = len(noisy.test_user_positions)
    return np.array([rng.permutation(noisy.train.n_items)[:10] for _ in range(n_users)], dtype=np.int32)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_an_oracle_of_lists_is_found_without_any_prediction(noisy, random_lists, share):
    (text, *_) = found(noisy, lists=lists_of(noisy, share, random_lists))
    assert text.startswith("first places hit")


def test_a_whole_oracle_is_found_though_it_leaves_the_first_places_alone(noisy, random_lists):
    lists = np.hstack([random_lists[:, :1], lists_of(noisy, 1.0, random_lists)[:, :9]])
    assert [text.split(" hit ")[0] for text in found(noisy, lists=lists)] == ["lists"]


def test_honest_lists_are_left_in_peace(noisy, random_lists):
    assert found(noisy, lists=random_lists) == []
    by_popularity = Evaluation(noisy, ModelOutput(None, random_lists)).by_popularity[:10].astype(np.int32)
    assert found(noisy, lists=np.tile(by_popularity, (len(random_lists), 1))) == []
    assert found(noisy, lists=random_lists[:, :0]) == []


def test_simple_lists_hold_no_item_that_the_user_has_seen_or_that_is_withheld(make_dataset):
    rows = [(0, 0, 5), (1, 0, 5), (1, 1, 5), (2, 1, 5), (2, 2, 5), (0, 1, 5), (0, 2, 5)]
    fold = Fold("", np.arange(5), np.array([5]), n_given=1, withheld_rows=np.array([6]))
    simple = SimplePredictors(Split.of(make_dataset(rows), "by-hand", fold))
    # User 0 has seen item 0, item 2 is withheld: item 1, which is relevant, comes first, and nothing after it.
    assert simple.popularity_hits.tolist() == simple.cosine_hits.tolist() == [[True, *[False] * 9]]


def test_lists_by_similarity_follow_what_the_users_neighbours_have_rated(make_dataset):
    # Even users rate even items, odd ones odd items, which are the more popular ones.
    rows = [(user, item, 5) for user in range(10) for item in range(10) if user % 2 == item % 2 and item != user]
    rows += [(11 + 2 * user, item, 5) for user in range(4) for item in (1, 3, 5, 7, 9)]
    tested = [(user, user, 5) for user in range(10)]
    order = np.arange(len(rows) + len(tested))
    split = Split.of(make_dataset([*rows, *tested]), "by-hand", Fold("", order[: len(rows)], order[len(rows) :]))
    assert SimplePredictors(split).cosine_hits[:, 0].all()
    assert not SimplePredictors(split).popularity_hits[::2, 0].any()


def test_an_error_below_the_noise_of_repeated_ratings_is_found(make_split):
    rng = np.random.default_rng(2)
    pairs = [(user, item) for user in range(60) for item in rng.permutation(20)[:6]]
    liking = rng.uniform(2, 4, len(pairs))
    first, second = (np.clip(np.rint(liking + rng.normal(0, 1, len(pairs))), 1, 5) for _ in range(2))
    train, test = ([(*pair, rating) for pair, rating in zip(pairs, one, strict=True)] for one in (first, second))
    split = make_split(train, test)
    assert found(split, liking) == [], "nobody can know more"
    (text,) = found(split, split.test.ratings + rng.normal(0, 0.2, len(pairs)))
    assert "two ratings of one pair" in text
    assert found(split, split.train.ratings) == [], "the earlier rating"


def test_a_copied_data_set_has_no_noise_to_be_below(make_split):
    rows = [(user, item, 1 + (user + item) % 5) for user in range(40) for item in range(5)]
    split = make_split(rows, rows)
    assert found(split, split.test.ratings) == [], "training has told it"


def test_a_handful_of_users_is_no_proof(make_split):
    rng = np.random.default_rng(0)
    rows = [(user, item, int(rng.integers(1, 6))) for user in range(12) for item in range(20)]
    split = make_split([row for row in rows if row[1] < 14], [row for row in rows if row[1] >= 14])
    assert found(split, split.test.ratings) == []


def test_all_findings_are_one_warning(noisy, random_lists):
    output = ModelOutput(noisy.test.ratings, lists_of(noisy, 1.0, random_lists))
    (warning,) = answer_warnings(Evaluation(noisy, output), {})
    assert warning.code == "too-good"
    assert warning.text.count(";") == 3
    assert warning.text.startswith("too good to be true: predictions explain 100%")
