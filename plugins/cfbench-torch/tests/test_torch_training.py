"""The training loop: schedules, optimiser, early stopping, reports, isolation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cfbench.model import EpochReport, FitContext, ModelError, Ratings, RatingScale
from cfbench_torch.device import Device
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.link import link_for
from cfbench_torch.nn import NeuralNetwork
from cfbench_torch.optimizer import Adam, constant, one_cycle
from cfbench_torch.training import TrainingParameters


def tastes(n_users: int = 40, n_items: int = 30, seed: int = 0) -> Ratings:
    """Full matrix of noisy user + item effects, shuffled."""
    rng = np.random.default_rng(seed)
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((n_users, n_items)))
    effects = rng.normal(0, 0.5, n_users)[users] + rng.normal(0, 0.7, n_items)[items]
    ratings = np.clip(3.5 + effects + rng.normal(0, 0.3, len(users)), 1, 5).astype(np.float32)
    order = rng.permutation(len(users))
    return Ratings(users[order], items[order], ratings[order], None, n_users, n_items, RatingScale(1, 5))


def test_one_cycle_rises_from_a_25th_to_the_peak_in_a_quarter_and_falls_to_nearly_nothing():
    rates = [rate for rate, _ in one_cycle(1.0, 101)]
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[25] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1e-5)
    assert max(rates) == rates[25]


def test_one_cycle_moves_momentum_the_other_way():
    momenta = [momentum for _, momentum in one_cycle(1.0, 101)]
    assert (momenta[0], momenta[25], momenta[-1]) == pytest.approx((0.95, 0.85, 0.95))


@given(steps=st.integers(1, 500), peak=st.floats(1e-5, 1.0))
def test_one_cycle_gives_every_step_a_rate_between_its_last_and_its_peak(steps, peak):
    schedule = one_cycle(peak, steps)
    assert len(schedule) == steps
    assert all(peak * 1e-5 * 0.999 <= rate <= peak * 1.001 for rate, _ in schedule)


def test_constant_schedule_is_constant():
    assert constant(0.01, 3) == [(0.01, 0.9)] * 3


def test_first_adam_step_moves_by_the_learning_rate_against_the_gradient_after_decay():
    parameter = torch.tensor([1.0, 1.0, 0.0])
    parameter.grad = torch.tensor([2.0, -3.0, 0.0])
    Adam([parameter], weight_decay=0.5).step(0.1, 0.9)
    # decay: 1 - 0.1 * 0.5 = 0.95; bias-corrected m / sqrt(v) = sign of the gradient, up to eps
    assert parameter.tolist() == pytest.approx([0.85, 1.05, 0.0], abs=1e-5)


def test_adam_equals_torchs_own_over_several_steps():
    start, generator = torch.randn(7, generator=torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2)
    mine, theirs = start.clone(), start.clone().requires_grad_(True)
    own = Adam([mine], weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=1e-2, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.1)
    for _ in range(5):
        gradient = torch.randn(7, generator=generator)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step(1e-2, 0.9)
        reference.step()
    torch.testing.assert_close(mine, theirs.detach())


@pytest.mark.parametrize(
    ("n_rows", "size"), [(1, 16), (8_191, 16), (8_192, 32), (80_000, 256), (800_000, 2048), (20_000_000, 65_536)]
)
def test_open_batch_size_leaves_the_fewest_steps_where_it_can(n_rows, size):
    assert TrainingParameters().batch_for(n_rows) == size


def test_more_steps_make_smaller_batches():
    assert TrainingParameters(fewest_steps=1000).batch_for(80_000) == 64


def test_given_batch_size_is_kept():
    assert TrainingParameters(batch_size=7).batch_for(1_000_000) == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("learning_rate", 0),
        ("learning_rate", math.nan),
        ("weight_decay", -0.1),
        ("batch_size", 0),
        ("fewest_steps", 0),
        ("schedule", "cosine"),
        ("patience", 0),
        ("validation_share", 1.0),
        ("stop_after", 0),
        ("stop_after", 6),
        ("scale_target", 1),
    ],
)
def test_nonsense_is_refused_by_the_name_of_the_parameter(field, value):
    with pytest.raises(ValueError, match=field):
        BiasedDotProduct(**{field: value})


def test_every_epoch_is_reported_with_a_falling_loss():
    reports: list[EpochReport] = []
    BiasedDotProduct(epochs=4).fit(tastes(), FitContext(0, on_epoch=reports.append))
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert reports[-1].train_loss < reports[0].train_loss
    assert all(report.validation_loss is None for report in reports)


def test_patience_stops_early_and_takes_back_the_best_parameters():
    reports: list[EpochReport] = []
    model = BiasedDotProduct(
        epochs=60, patience=2, validation_share=0.5, schedule="constant", learning_rate=0.05, weight_decay=0.0
    )
    model.fit(tastes(), FitContext(0, on_epoch=reports.append))
    losses = [report.validation_loss for report in reports]
    assert len(losses) < 60
    assert min(losses) == losses[-3] < losses[-1]


def test_patience_alone_validates_on_a_tenth_of_the_rows():
    assert TrainingParameters(patience=1).held_out_share == 0.1
    assert TrainingParameters(patience=1, validation_share=0.3).held_out_share == 0.3
    assert TrainingParameters(validation_share=0.3).held_out_share == 0.3
    assert TrainingParameters().held_out_share is None


def test_a_share_without_patience_watches_all_epochs_and_keeps_the_last_parameters():
    reports: list[EpochReport] = []
    settings = {"validation_share": 0.5, "schedule": "constant", "learning_rate": 0.05, "weight_decay": 0.0}
    watched = BiasedDotProduct(epochs=12, **settings)
    watched.fit(tastes(), FitContext(0, on_epoch=reports.append))
    losses = [report.validation_loss for report in reports]
    assert len(losses) == 12
    assert losses[-1] > min(losses)  # it overfits, and nothing is taken back
    stopped = BiasedDotProduct(epochs=12, patience=12, **settings)
    stopped.fit(tastes(), FitContext(0))
    pairs = np.arange(30, dtype=np.int32), np.arange(30, dtype=np.int32)
    assert not np.array_equal(watched.predict(*pairs), stopped.predict(*pairs))


def test_stopping_after_an_epoch_leaves_the_schedule_where_it_was():
    seen: dict[int | None, list[float]] = {}
    for stop in (None, 2):
        reports: list[EpochReport] = []
        model = BiasedDotProduct(epochs=4, stop_after=stop)
        model.fit(tastes(), FitContext(0, on_epoch=reports.append))
        seen[stop] = [report.train_loss for report in reports]
        assert all(report.epochs == len(reports) for report in reports)
    assert seen[2] == seen[None][:2]


def test_a_scaled_target_counts_losses_in_squared_widths_of_the_scale_and_answers_in_ratings():
    losses, answers = [], []
    for scaled in (False, True):
        reports: list[EpochReport] = []
        model = BiasedDotProduct(epochs=1, batch_size=10_000, validation_share=0.2, scale_target=scaled)
        model.fit(tastes(), FitContext(0, on_epoch=reports.append))
        losses.append((reports[0].train_loss, reports[0].validation_loss))
        answers.append(model.predict(np.arange(30, dtype=np.int32), np.arange(30, dtype=np.int32)))
    assert losses[0] == pytest.approx([16 * loss for loss in losses[1]], rel=1e-3)  # 1 to 5: a width of 4
    np.testing.assert_allclose(*answers, rtol=1e-2)


def test_a_scaled_target_without_a_range_makes_0_the_lowest_rating_and_1_the_highest():
    link = link_for(None, tastes(), scale_target=True)
    assert link.rating(torch.tensor([0.0, 0.25, 1.0])).tolist() == [1, 2, 5]
    assert link.score(2.0) == 0.25
    assert link.slope(torch.tensor([3.0])) == 4


def test_a_loss_in_other_units_is_the_same_to_adam_but_for_eps():
    small, large = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])
    small.grad, large.grad = torch.tensor([2e-5, -3.0]), torch.tensor([2e-5, -3.0]) / 16
    Adam([small], 0.1, loss_unit=16).step(0.1, 0.9)
    Adam([large], 0.1).step(0.1, 0.9)
    torch.testing.assert_close(small, large)


def test_patience_needs_rows_to_validate_on():
    one = np.zeros(1, dtype=np.int32)
    train = Ratings(one, one, np.full(1, 3, dtype=np.float32), None, 1, 1, RatingScale(1, 5))
    with pytest.raises(ModelError, match="validation_share"):
        BiasedDotProduct(patience=1).fit(train, FitContext(0))


def test_divergence_is_an_error_that_advises_on_the_learning_rate():
    model = BiasedDotProduct(y_range=None, learning_rate=1e30, schedule="constant")
    with pytest.raises(ModelError, match="learning_rate"):
        model.fit(tastes(), FitContext(0))


@pytest.mark.parametrize("model", [BiasedDotProduct, NeuralNetwork])
def test_thread_count_denormal_mode_and_random_state_are_as_before(model):
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    fitted = model(epochs=1)
    fitted.fit(tastes(), FitContext(3, threads=threads + 1))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (torch.full((1,), 1e-40) * 1).item() > 0


def test_denormal_mode_of_the_caller_is_kept():
    torch.set_flush_denormal(True)
    try:
        with Device("cpu", 1).active():
            pass
        assert (torch.full((1,), 1e-40) * 1).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_an_accelerator_is_taken_where_there_is_one_and_demanded_only_by_name():
    there = torch.cuda.is_available()
    assert Device.of(FitContext(0)).name == ("cuda" if there else "cpu")
    assert Device.of(FitContext(0, device="cpu")).name == "cpu"
    if not there:
        with pytest.raises(ModelError, match="cuda"):
            Device.of(FitContext(0, device="cuda"))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**70))
def test_any_seed_that_a_hash_gives_is_accepted(seed):
    generator = Device("cpu", 1).generator(seed)
    assert generator.initial_seed() == seed % 2**63
