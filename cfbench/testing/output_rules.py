"""Rules on outputs: their form, and that each depends on its own user and item alone; cold-start entities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.inference.embeddings import embeddings_of
from cfbench.inference.predict import rating_range_of
from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.testing.example_ratings import (
    cold_entities,
    described_ratings,
    equal_ratings,
    random_ratings,
    single_ratings,
)
from cfbench.testing.model_under_test import (
    ModelUnderTest,
    agree,
    all_codes,
    all_outputs,
    model_rule,
    outputs,
    pairs,
    predictions,
    scores,
    training_outputs,
)

_FORMS = {
    "predict": "one prediction for each pair",
    "score_items": "a row for each user, a column for each training item, those added after fit not included",
}


def require_form(
    subject: ModelUnderTest, found: dict[str, Floats], users: Codes, items: Codes, n_items: int, when: str = ""
) -> None:
    """Require what ``outputs`` has found to have the right shape, a float type and no infinities.

    Args:
        subject: the model under check.
        found: its outputs, by method.
        users, items: the codes that they are for.
        n_items: number of training items.
        when: what messages add, e.g. ``" after add_cold_entities"``.
    """
    shapes = {"predict": (len(users) * len(items),), "score_items": (len(users), n_items)}
    for method, output in found.items():
        expected = shapes[method]
        subject.require(
            output.shape == expected,
            f"{method} returned shape {output.shape}{when}, expected {expected}: {_FORMS[method]}",
        )
        subject.require(
            np.issubdtype(output.dtype, np.floating), f"{method} returned {output.dtype}{when}, expected a float type"
        )
        subject.require(
            not np.isinf(output).any(),
            f"{method} returned infinite values{when}; return NaN where there is no prediction",
        )


def _outputs_are_sound(subject: ModelUnderTest, make_ratings: Callable[[], Ratings]) -> None:
    train = make_ratings()
    model = subject.fitted(train)
    require_form(subject, all_outputs(model, train), *all_codes(train), train.n_items)


_TRAINING_SETS: dict[str, Callable[[], Ratings]] = {
    "outputs have the right shape, a float type and no infinities": random_ratings,
    "copes with more users than items": partial(random_ratings, n_users=40, n_items=7),
    "copes with more items than users": partial(random_ratings, n_users=7, n_items=40),
    "copes with users of a single rating": single_ratings,
    "copes with ratings that are all equal": equal_ratings,
}
for _name, _make_ratings in _TRAINING_SETS.items():
    model_rule(_name)(partial(_outputs_are_sound, make_ratings=_make_ratings))


@model_rule("outputs for its own training data are not all NaN")
def _has_some_output(subject: ModelUnderTest) -> None:
    for method, output in training_outputs(*subject.example()).items():
        subject.require(not np.isnan(output).all(), f"{method} returns NaN for everything that it was trained on")


@model_rule("an empty query gives an empty output")
def _empty_queries(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    none = np.empty(0, dtype=np.int32)
    require_form(subject, outputs(model, none, none), none, none, train.n_items)


@model_rule("outputs are arrays that the caller may write to")
def _outputs_are_the_callers(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    before = all_outputs(model, train)
    for method, output in training_outputs(model, train).items():
        subject.require(
            output.flags.writeable, f"{method} returned a read-only array; return a fresh one, the harness masks in it"
        )
        output[...] = 0
    subject.require_alike(
        before,
        all_outputs(model, train),
        "returned the model's own array: writing to it changed later outputs; return a copy",
    )


@model_rule("predicts within the range that it states", needs=("predicts", "rating-range"))
def _predictions_stay_in_range(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    stated = rating_range_of(model)
    if stated is not None:
        low, high = stated
        known = predictions(model, train.users, train.items)
        rounding = 1e-5 * (high - low)  # of single precision
        subject.require(
            not ((known < low - rounding) | (known > high + rounding)).any(),
            f"predict returned {np.nanmin(known):g} to {np.nanmax(known):g}, outside its rating_range of {low:g} to "
            f"{high:g}; state the range that predictions can reach, or None where nothing limits them",
        )


def _require_same_in_parts(
    subject: ModelUnderTest, query: Callable[[NDArray[np.int64]], Floats], n: int, n_parts: int, advice: str
) -> None:
    """Require equal outputs for ``n`` rows queried together, and in ``n_parts`` parts in random order."""
    together = np.array(query(np.arange(n)))
    shuffled = np.empty_like(together)
    for part in np.array_split(np.random.default_rng(0).permutation(n), n_parts):
        shuffled[part] = query(part)
    subject.require(agree(together, shuffled), advice)


@model_rule("predictions do not depend on order or chunks", needs=("predicts",))
def _predictions_in_parts(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    users, items = pairs(*all_codes(train))
    _require_same_in_parts(
        subject,
        lambda rows: predictions(model, users[rows], items[rows]),
        len(users),
        7,
        "predict returns another value for a pair in another order or chunk; it may depend on its pair alone",
    )


@model_rule("scores do not depend on order or chunks", needs=("ranks",))
def _scores_in_parts(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    users, _ = all_codes(train)
    _require_same_in_parts(
        subject,
        lambda rows: scores(model, users[rows]),
        len(users),
        5,
        "score_items returns other scores for a user in another order or chunk; a row may depend on its user alone",
    )


@model_rule("unknown codes do not change the output for known ones")
def _unknown_codes_change_nothing(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    users, items = all_codes(train)
    together, known = outputs(model, users, items), outputs(model, users[:-1], items[:-1])
    if "predict" in together:
        together["predict"] = together["predict"].reshape(len(users), len(items))[:-1, :-1].ravel()
    if "score_items" in together:
        together["score_items"] = together["score_items"][:-1]
    subject.require_alike(known, together, "changes for known codes when unknown codes are queried with them")


@model_rule("scores rank as predictions do", needs=("predicts", "ranks"))
def _scores_and_predictions_rank_alike(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    users, items = all_codes(train)
    predicted = np.array(predictions(model, *pairs(users, items[:-1]))).reshape(-1, train.n_items)
    order = np.argsort(scores(model, users), axis=1, kind="stable")
    ranked = np.take_along_axis(predicted, order, axis=1)
    falls = np.diff(ranked, axis=1) < -1e-4 * train.scale.width
    subject.require(
        not falls.any(),
        "score_items puts an item higher that predict rates lower; both must order a user's items alike",
    )


@model_rule("embeddings are finite, with a row for every training user and item", needs=("embeddings",))
def _embeddings_are_sound(subject: ModelUnderTest) -> None:
    for train in (random_ratings(), random_ratings(n_users=7, n_items=40), single_ratings()):
        embeddings_of(subject.fitted(train), train.n_users, train.n_items)


@model_rule("reading embeddings changes no output", needs=("embeddings",))
def _embeddings_change_nothing(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    before = all_outputs(model, train)
    model.embeddings()
    subject.require_alike(
        before, all_outputs(model, train), "changed after embeddings(), which must only return what fit learned"
    )


def codes_with(train: Ratings, users: Features | None, items: Features | None) -> tuple[Codes, Codes]:
    """Return all codes of users and of items: those in training, the cold ones, the unknown one."""
    totals = train.n_users + (len(users) if users else 0), train.n_items + (len(items) if items else 0)
    return np.arange(totals[0] + 1, dtype=np.int32), np.arange(totals[1] + 1, dtype=np.int32)


def _extended(subject: ModelUnderTest, train: Ratings, users: Features | None, items: Features | None) -> Any:
    """Return a model that was fitted on ``train`` and has got cold users and items."""
    model = subject.fitted(train)
    model.add_cold_entities(users, items)
    return model


@model_rule("cold-start entities change no output for training users and items", ("cold-entities",))
def _known_codes_keep_their_output(subject: ModelUnderTest) -> None:
    train = described_ratings()
    users, items = codes_with(train, None, None)
    known = users[:-1], items[:-1]
    subject.require_alike(
        outputs(subject.fitted(train), *known),
        outputs(_extended(subject, train, *cold_entities()), *known),
        "returns other values for training users and items after add_cold_entities",
    )


@model_rule("cold-start entities get an output, and so does the unknown after them", ("cold-entities",))
def _cold_entities_get_an_output(subject: ModelUnderTest) -> None:
    train = described_ratings()
    cold_users, cold_items = cold_entities()
    for users, items in ((cold_users, cold_items), (cold_users, None), (None, cold_items)):
        codes = codes_with(train, users, items)
        found = outputs(_extended(subject, train, users, items), *codes)
        require_form(subject, found, *codes, train.n_items, " after add_cold_entities")


@model_rule("cold-start entities with equal features get equal output", ("cold-entities",))
def _equal_features_get_equal_output(subject: ModelUnderTest) -> None:
    train, features = described_ratings(), cold_entities()
    users, items = codes_with(train, *features)
    found = outputs(_extended(subject, train, *features), users, items)
    advice = "with equal features different values; their features are all that is known of them"
    # The first and the last of the cold users, and of the cold items, are alike.
    for method, output in found.items():
        rows = output.reshape(len(users), -1)
        subject.require(agree(rows[train.n_users], rows[-2]), f"{method} gives two cold users {advice}")
    if "predict" in found:
        columns = found["predict"].reshape(len(users), len(items)).T
        subject.require(agree(columns[train.n_items], columns[-2]), f"predict gives two cold items {advice}")
