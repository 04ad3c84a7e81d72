"""``dot-lookup``, plain autograd, as the oracle of ``dot``; what both say about the unknown."""

import numpy as np
import pytest
import torch

from cfbench.model import EpochReport, FitContext, ModelError, Ratings, RatingScale
from cfbench_torch.dot import DotProduct
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.dot_lookup import DotProductModule, LookupDotProduct
from cfbench_torch.link import Link


def ratings(n_users: int = 30, n_items: int = 20) -> Ratings:
    rng = np.random.default_rng(0)
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((n_users, n_items)))
    values = rng.integers(1, 6, len(users)).astype(np.float32)
    return Ratings(users, items, values, None, n_users, n_items, RatingScale(1, 5))


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
@pytest.mark.parametrize(
    "start",
    [{}, {"start": "uniform", "start_scale": 0.05}, {"untrained_unknown": True}],
    ids=["normal", "uniform", "untrained"],
)
@pytest.mark.parametrize("y_range", [None, (0.0, 5.5), "observed"])
def test_dot_learns_what_autograd_learns_from_the_same_start_and_batches(schedule, start, y_range):
    shared = {"n_factors": 4, "y_range": y_range, "epochs": 3, "batch_size": 16, "schedule": schedule, **start}
    train, answers, losses = ratings(), [], []
    for kind in (DotProduct, LookupDotProduct):
        reports: list[EpochReport] = []
        model = kind(**shared)
        model.fit(train, FitContext(7, device="cpu", on_epoch=reports.append))
        answers.append(model.score_items(np.arange(31, dtype=np.int32)))
        losses.append([report.train_loss for report in reports])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_module_multiplies_rows_and_sums_the_gradients_of_repeated_ones():
    module = DotProductModule(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0], [7.0, 8.0]]), Link())
    ratings = module(torch.tensor([1, 1, 0]), torch.tensor([0, 1, 1]))
    assert ratings.tolist() == [3 * 5 + 4 * 6, 3 * 7 + 4 * 8, 1 * 7 + 2 * 8]
    ratings.sum().backward()
    assert module.users.grad.tolist() == [[7, 8], [5 + 7, 6 + 8]]
    assert module.items.grad.tolist() == [[3, 4], [3 + 1, 4 + 2]]


@pytest.mark.parametrize("kind", [DotProduct, LookupDotProduct])
def test_an_untrained_unknown_item_is_rated_about_0_without_a_range(kind):
    model = kind(y_range=None, n_factors=4, untrained_unknown=True)
    model.fit(ratings(), FitContext(0, device="cpu"))
    codes = np.arange(31, dtype=np.int32)
    answers = model.predict(codes, np.full(31, 20, dtype=np.int32))
    assert np.abs(answers).max() < 0.3
    assert np.abs(answers).max() > 0
    np.testing.assert_allclose(
        model.score_items(codes[-1:])[0], model.predict(np.full(20, 30, dtype=np.int32), codes[:20])
    )


def test_an_untrained_unknown_of_dot_bias_answers_without_an_offset():
    model = BiasedDotProduct(offset="none", untrained_unknown=True)
    model.fit(ratings(), FitContext(0, device="cpu"))
    assert np.isfinite(model.score_items(np.array([30], dtype=np.int32))).all()


@pytest.mark.parametrize("kind", [DotProduct, LookupDotProduct])
def test_a_uniform_start_is_positive_and_below_its_end(kind):
    model = kind(start="uniform", start_scale=0.05, learning_rate=1e-12, weight_decay=0.0, epochs=1)
    model.fit(ratings(), FitContext(0, device="cpu"))
    shown = model.embeddings()
    assert 0 <= shown.users.min() < 0.005
    assert 0.045 < shown.items.max() <= 0.05


@pytest.mark.parametrize("kind", [DotProduct, BiasedDotProduct, LookupDotProduct])
@pytest.mark.parametrize(("field", "value"), [("start", "zeros"), ("start_scale", 0.0), ("learning_rate", -1.0)])
def test_nonsense_is_refused_by_name(kind, field, value):
    with pytest.raises(ValueError, match=field):
        kind(**{field: value})


def test_divergence_of_the_plain_loop_is_an_error_too():
    with pytest.raises(ModelError, match="learning_rate"):
        LookupDotProduct(y_range=None, learning_rate=1e30, schedule="constant").fit(ratings(), FitContext(0))
