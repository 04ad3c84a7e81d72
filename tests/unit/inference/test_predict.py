"""Asking for ratings: what is accepted, what is refused, what is done to holes."""

import time

import numpy as np
import pytest

from cfbench.errors import ModelError
from cfbench.evaluation.metrics.evaluation import fill_and_clip
from cfbench.inference.predict import predict_ratings, rating_range_of
from cfbench.model.ratings import RatingScale
from cfbench.resources.cost import Clock

USERS = np.array([0, 1, 2, 3, 1], dtype=np.int32)
ITEMS = np.array([4, 0, 0, 2, 3], dtype=np.int32)


class Model:
    """Answers with whatever ``answer(users, items)`` returns and remembers the sizes it was asked for."""

    def __init__(self, answer):
        self.answer = answer
        self.sizes = []

    def predict(self, users, items):
        self.sizes.append(len(users))
        return self.answer(users, items)


def ask(answer, **options):
    return predict_ratings(Model(answer), USERS, ITEMS, Clock(), **options)


def test_answers_come_back_in_the_order_of_the_questions_whatever_the_chunks(monkeypatch):
    model = Model(lambda users, items: users * 10.0 + items)
    monkeypatch.setattr("cfbench.inference.predict.PAIRS_PER_CALL", 2)
    answers = predict_ratings(model, USERS, ITEMS, Clock())
    assert answers.tolist() == [4, 10, 20, 32, 13]
    assert answers.dtype == np.float32
    assert model.sizes == [2, 2, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_dtype_is_accepted(dtype):
    assert ask(lambda users, items: np.full(len(users), 3.5, dtype)).tolist() == [3.5] * 5


def test_nan_is_an_answer():
    assert np.isnan(ask(lambda users, items: np.full(len(users), np.nan))).all()


def test_nan_that_signals_is_an_answer():
    signalling = np.array([0x7FA00001] * 5, dtype=np.uint32).view(np.float32)
    assert np.isnan(ask(lambda users, items: signalling)).all()


def test_what_a_subclass_says_of_its_values_counts_for_nothing():
    class Calm(np.ndarray):
        def __array_ufunc__(self, *arguments, **options):
            return 0.0

    with pytest.raises(ModelError, match="finite values or NaN"):
        ask(lambda users, items: np.full(len(users), np.inf).view(Calm))


def test_a_buffer_that_the_model_reuses_is_copied(monkeypatch):
    monkeypatch.setattr("cfbench.inference.predict.PAIRS_PER_CALL", 1)
    buffer = np.zeros(1)

    def answer(users, items):
        buffer[:] = items
        return buffer

    assert ask(answer).tolist() == ITEMS.tolist()


def test_the_model_cannot_change_the_questions():
    def answer(users, items):
        users[0] = 9
        return np.zeros(len(users))

    with pytest.raises(ValueError, match="read-only"):
        ask(answer)


def test_only_the_models_own_time_is_counted(monkeypatch):
    monkeypatch.setattr("cfbench.inference.predict.PAIRS_PER_CALL", 1)

    def answer(users, items):
        time.sleep(0.002)
        return np.zeros(len(users))

    clock = Clock()
    predict_ratings(Model(answer), USERS, ITEMS, clock)
    assert list(clock.wall) == ["predict"]
    assert clock.wall["predict"] >= 0.01


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda users, items: [1.0] * len(users), r"plain numpy array of shape \(5,\), got list"),
        (lambda users, items: None, "got NoneType"),
        (lambda users, items: np.ma.masked_equal(np.zeros(len(users)), 0), "got MaskedArray"),
        (lambda users, items: np.zeros(3), r"shape \(5,\), got \(3,\)"),
        (lambda users, items: np.zeros((len(users), 1)), r"shape \(5,\), got \(5, 1\)"),
        (lambda users, items: np.zeros(len(users), dtype=np.int64), "floats, got dtype int64"),
        (lambda users, items: np.array(["3"] * len(users)), "floats, got dtype <U1"),
        (lambda users, items: np.zeros(len(users), dtype=complex), "floats, got dtype complex128"),
    ],
)
def test_what_is_not_a_float_array_of_the_asked_shape_is_named(answer, complaint):
    with pytest.raises(ModelError, match=r"Model\.predict must return.*" + complaint):
        ask(answer)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, -1e300])
def test_infinities_and_what_overflows_float32_are_the_models_failure(value):
    def answer(users, items):
        return np.where(users == 1, value, np.nan)

    with pytest.raises(ModelError, match=r"2 of 5 .* infinite .* at index \(1,\)"):
        ask(answer)


def test_float16_infinity_is_found():
    with pytest.raises(ModelError, match="infinite"):
        ask(lambda users, items: np.full(len(users), np.inf, dtype=np.float16))


def test_holes_get_the_fallback_and_the_rest_is_clipped():
    predictions = np.array([0.5, np.nan, 3, 5.5, 5], dtype=np.float32)
    completed = fill_and_clip(predictions, 3.25, RatingScale(1, 5))
    assert completed.tolist() == [1, 3.25, 3, 5, 5]
    assert completed.dtype == np.float64


class Ranged:
    """States whatever it was made with as the range of its ratings."""

    def __init__(self, stated):
        self.stated = stated

    def rating_range(self):
        return self.stated


@pytest.mark.parametrize("stated", [(1, 5), [1.0, 5.0], (np.float32(1), np.int64(5))])
def test_a_stated_range_of_ratings_is_two_numbers(stated):
    assert rating_range_of(Ranged(stated)).tolist() == [1, 5]


def test_a_model_without_limits_states_none():
    assert rating_range_of(Ranged(None)) is None


@pytest.mark.parametrize("stated", [(5, 1), (1, 1), (1,), 5, "scale", (0, np.inf), (np.nan, 1), ("a", "b"), ((1,), 2)])
def test_a_range_that_is_no_rising_pair_of_finite_numbers_is_refused(stated):
    with pytest.raises(ModelError, match=r"Ranged\.rating_range must return two finite numbers \(low, high\)"):
        rating_range_of(Ranged(stated))
