"""Rules on construction, fitting and outputs: every output depends on its own user and item alone.

Rules on cold-start entities come last.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cfbench.inference.asked_again import batches
from cfbench.inference.predict import embeddings_of, rating_range_of
from cfbench.model import Codes, EpochReport, Features, Floats, Ratings, frozen
from cfbench.testing.model_checks import (
    ModelUnderTest,
    agree,
    all_codes,
    all_outputs,
    checkerboard,
    cold_entities,
    described_ratings,
    equal_ratings,
    model_rule,
    outputs,
    pairs,
    random_ratings,
    single_ratings,
    training_outputs,
)
from cfbench.testing.rule import global_state_moves

_ENOUGH = 0.7  # share of pairs in the right order; chance is 0.5


@model_rule("has fit, and predict or score_items")
def _has_methods(subject: ModelUnderTest) -> None:
    cls = subject.load()
    subject.require(callable(getattr(cls, "fit", None)), "has no fit(train, context) method")
    advice = "has neither predict(users, items) nor score_items(users); a recommender needs at least one"
    subject.require(hasattr(cls, "predict") or hasattr(cls, "score_items"), advice)


@model_rule("construction only stores parameters")
def _construction_stores(subject: ModelUnderTest) -> None:
    model = subject.new()
    parameters = subject.parameters(model)
    others = sorted(set(vars(model)) - set(parameters))
    subject.require(not others, f"__init__ sets {others}; it must only store its parameters, all else belongs into fit")
    again = type(model)(**parameters)
    changed = [name for name, value in parameters.items() if getattr(again, name) is not value]
    subject.require(not changed, f"__init__ does not store {changed} as given; check and convert them in fit")


@model_rule("parameters are JSON scalars or flat tuples")
def _parameters_are_plain(subject: ModelUnderTest) -> None:
    subject.require_plain_parameters(subject.new())


@model_rule("fit keeps parameters and marks what it learned")
def _fit_keeps_parameters(subject: ModelUnderTest) -> None:
    before = subject.parameters(subject.new())
    model, _ = subject.example()
    changed = [name for name, value in before.items() if getattr(model, name) != value]
    advice = "keep what it works out in a name ending in '_'"
    subject.require(not changed, f"fit changes the parameters {changed}; {advice}")
    wrong = [name for name in vars(model) if name not in before and not name.endswith("_")]
    subject.require(not wrong, f"fit sets {wrong}; names of learned attributes end in '_'")


@model_rule("training data is left unchanged")
def _training_data_stay(subject: ModelUnderTest) -> None:
    _, train = subject.example()
    untouched = random_ratings()
    for name in ("users", "items", "ratings", "timestamps"):
        equal = np.array_equal(getattr(train, name), getattr(untouched, name))
        subject.require(equal, f"fit changed train.{name}, which other models share; work on a copy")


@model_rule("the same seed gives the same output")
def _fits_repeat(subject: ModelUnderTest) -> None:
    train = random_ratings()
    first, second = (all_outputs(subject.fitted(train, seed=2**63 + 11), train) for _ in range(2))
    advice = "differs between two fits with the same seed; draw all randomness from context.seed"
    subject.require_alike(first, second, advice)


@model_rule("global random state is left alone")
def _global_randomness_stays(subject: ModelUnderTest) -> None:
    train = random_ratings()
    subject.load()  # a library may seed itself when it is imported
    moved = ", ".join(global_state_moves(lambda: all_outputs(subject.fitted(train), train)))
    advice = "use a generator of its own, seeded from context.seed"
    subject.require(not moved, f"fit or predict moved the global random state of {moved}; {advice}")


@model_rule("a fresh instance does not depend on an earlier one")
def _instances_are_independent(subject: ModelUnderTest) -> None:
    train, other = random_ratings(seed=1), random_ratings(n_users=11, n_items=29, seed=2)
    first = subject.fitted(train)
    before = all_outputs(first, train)
    all_outputs(subject.fitted(other), other)
    advice = "of a fitted model changed when another instance was fitted; keep state on the instance"
    subject.require_alike(before, all_outputs(first, train), advice)
    advice = "of a fresh instance depends on what an earlier one learned; keep state on the instance"
    subject.require_alike(before, all_outputs(subject.fitted(train), train), advice)


@model_rule("learns a checkerboard of tastes")
def _learns_personal_taste(subject: ModelUnderTest) -> None:
    train, relevant, unseen = checkerboard()
    model = subject.fitted(train)
    users, items = (np.arange(n, dtype=np.int32) for n in relevant.shape)
    # Of every user: pairs of an unseen relevant item and an unseen other item, shape (users, items, items).
    compared = (relevant & unseen)[:, :, None] & (~relevant & unseen)[:, None, :]
    for method, output in outputs(model, users, items).items():
        values = output.reshape(relevant.shape)
        higher = np.count_nonzero((values[:, :, None] > values[:, None, :]) & compared)
        equal = np.count_nonzero((values[:, :, None] == values[:, None, :]) & compared)
        share = (higher + 0.5 * equal) / np.count_nonzero(compared)
        case = f"{method} puts the relevant one of two unseen items first in {share:.0%} of cases"
        expected = f"expected {_ENOUGH:.0%}, where even users like even items and odd users odd items"
        advice = "does fit use the codes it is given, and learn enough with its default parameters?"
        subject.require(share >= _ENOUGH, f"{case}, {expected}; {advice}")


@model_rule("epochs are reported in order")
def _epochs_are_reported(subject: ModelUnderTest) -> None:
    reports: list[EpochReport] = []
    subject.fitted(random_ratings(), on_epoch=reports.append)
    epochs = [report.epoch for report in reports]
    in_order = epochs == list(range(1, len(reports) + 1))
    subject.require(in_order, f"reported the epochs {epochs}; report each once, counting from 1")
    subject.require(all(report.epoch <= report.epochs for report in reports), "reported more epochs than it planned")
    losses = [loss for report in reports for loss in (report.train_loss, report.validation_loss) if loss is not None]
    subject.require(np.isfinite(losses).all(), f"reported losses that are not finite: {losses}")


def _require_form(
    subject: ModelUnderTest, model: Any, train: Ratings, codes: tuple[Codes, Codes], when: str = ""
) -> None:
    """Require outputs for all pairs of ``codes`` to have the right shape, a float type and no infinities.

    Messages add ``when``, e.g. ``" after add_cold_entities"``.
    """
    n_users, n_items = map(len, codes)
    row = "a row for each user, a column for each training item, those added after fit not included"
    forms = {
        "predict": ((n_users * n_items,), "one prediction for each pair"),
        "score_items": ((n_users, train.n_items), row),
    }
    for method, output in outputs(model, *codes).items():
        expected, form = forms[method]
        what = f"{method} returned"
        subject.require(output.shape == expected, f"{what} shape {output.shape}{when}, expected {expected}: {form}")
        is_float = np.issubdtype(output.dtype, np.floating)
        subject.require(is_float, f"{what} {output.dtype}{when}, expected a float type")
        advice = "return NaN where there is no prediction"
        subject.require(not np.isinf(output).any(), f"{what} infinite values{when}; {advice}")


def _outputs_are_sound(subject: ModelUnderTest, make_ratings: Callable[[], Ratings]) -> None:
    train = make_ratings()
    _require_form(subject, subject.fitted(train), train, all_codes(train))


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
    none = np.empty(0, dtype=np.int32)
    _require_form(subject, *subject.example(), (none, none))


@model_rule("outputs are arrays that the caller may write to")
def _outputs_are_the_callers(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    before = all_outputs(model, train)
    for method, output in training_outputs(model, train).items():
        advice = "returned a read-only array; return a fresh one, the harness masks in it"
        subject.require(output.flags.writeable, f"{method} {advice}")
        output[...] = 0
    advice = "returned the model's own array: writing to it changed later outputs; return a copy"
    subject.require_alike(before, all_outputs(model, train), advice)


@model_rule("predicts within the range that it states", "predicts", "rating-range")
def _predictions_stay_in_range(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    if (stated := rating_range_of(model)) is not None:
        low, high = stated
        known = model.predict(train.users, train.items)
        rounding = 1e-5 * (high - low)  # of single precision
        beyond = (known < low - rounding) | (known > high + rounding)
        found = f"predict returned {np.nanmin(known):g} to {np.nanmax(known):g}"
        advice = "state the range that predictions can reach, or None where nothing limits them"
        subject.require(not beyond.any(), f"{found}, outside its rating_range of {low:g} to {high:g}; {advice}")


def _in_batches(query: Callable[..., Floats], codes: tuple[Codes, ...]) -> Floats:
    """Return outputs for codes queried in random order, in batches of 1, 2, 4, 8 ..."""
    parts = list(batches(len(codes[0]), seed=0))
    found = [np.array(query(*(frozen(column[part]) for column in codes))) for part in parts]
    return np.concatenate(found)[np.argsort(np.concatenate(parts))]


def _require_same_in_batches(
    subject: ModelUnderTest, query: Callable[..., Floats], codes: tuple[Codes, ...], advice: str
) -> None:
    """Require equal outputs for codes queried together, and in random order in batches of other sizes."""
    together = np.array(query(*map(frozen, codes)))
    subject.require(agree(together, _in_batches(query, codes)), advice)


@model_rule("predictions do not depend on order or chunks", "predicts")
def _predictions_in_parts(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    advice = "predict returns another value for a pair in another order or chunk; it may depend on its pair alone"
    _require_same_in_batches(subject, model.predict, pairs(*all_codes(train)), advice)


@model_rule("scores do not depend on order or chunks", "ranks")
def _scores_in_parts(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    advice = "score_items returns other scores for a user in another order or chunk; a row may depend on its user alone"
    _require_same_in_batches(subject, model.score_items, all_codes(train)[:1], advice)


@model_rule("outputs do not depend on what was asked before")
def _questions_teach_nothing(subject: ModelUnderTest) -> None:
    first, train = subject.example()
    second = subject.fitted(train)  # a model that remembers its answers gives the same ones twice
    users, items = all_codes(train)
    before, after = dict[str, Floats](), dict[str, Floats]()
    if hasattr(first, "score_items"):
        before["score_items"] = np.array(first.score_items(frozen(users)))
    if hasattr(first, "predict"):
        before["predict"] = _in_batches(first.predict, pairs(users[::2], items[::2]))
        for _ in range(2):
            second.predict(*map(frozen, pairs(users, items)))
        after["predict"] = np.array(second.predict(*map(frozen, pairs(users[::2], items[::2]))))
    if hasattr(second, "score_items"):
        after["score_items"] = _in_batches(second.score_items, (users,))
    advice = "of the same fit changes with what was asked before; learn in fit alone, remember no question"
    subject.require_alike(before, after, advice)


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


@model_rule("scores rank as predictions do", "predicts", "ranks")
def _scores_and_predictions_rank_alike(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    users, items = all_codes(train)
    found = outputs(model, users, items[:-1])
    order = np.argsort(found["score_items"], axis=1, kind="stable")
    ranked = np.take_along_axis(found["predict"].reshape(-1, train.n_items), order, axis=1)
    falls = np.diff(ranked, axis=1) < -1e-4 * train.scale.width
    advice = "score_items puts an item higher that predict rates lower; both must order a user's items alike"
    subject.require(not falls.any(), advice)


@model_rule("embeddings are finite, with a row for every training user and item", "embeddings")
def _embeddings_are_sound(subject: ModelUnderTest) -> None:
    for train in (random_ratings(), random_ratings(n_users=7, n_items=40), single_ratings()):
        embeddings_of(subject.fitted(train), train.n_users, train.n_items)


@model_rule("reading embeddings changes no output", "embeddings")
def _embeddings_change_nothing(subject: ModelUnderTest) -> None:
    model, train = subject.example()
    before = all_outputs(model, train)
    model.embeddings()
    advice = "changed after embeddings(), which must only return what fit learned"
    subject.require_alike(before, all_outputs(model, train), advice)


def _extended(subject: ModelUnderTest, train: Ratings, users: Features | None, items: Features | None) -> Any:
    """Return a model that was fitted on ``train`` and has got cold users and items."""
    model = subject.fitted(train)
    model.add_cold_entities(users, items)
    return model


@model_rule("cold-start entities change no output for training users and items", "cold-entities")
def _known_codes_keep_their_output(subject: ModelUnderTest) -> None:
    train = described_ratings()
    known = [codes[:-1] for codes in all_codes(train)]
    before, after = (
        outputs(model, *known) for model in (subject.fitted(train), _extended(subject, train, *cold_entities()))
    )
    advice = "returns other values for training users and items after add_cold_entities"
    subject.require_alike(before, after, advice)


@model_rule("cold-start entities get an output, and so does the unknown after them", "cold-entities")
def _cold_entities_get_an_output(subject: ModelUnderTest) -> None:
    train, (users, items) = described_ratings(), cold_entities()
    for cold in ((users, items), (users, None), (None, items)):
        model = _extended(subject, train, *cold)
        _require_form(subject, model, train, all_codes(train, *cold), " after add_cold_entities")


@model_rule("cold-start entities with equal features get equal output", "cold-entities")
def _equal_features_get_equal_output(subject: ModelUnderTest) -> None:
    train, features = described_ratings(), cold_entities()
    users, items = all_codes(train, *features)
    found = outputs(_extended(subject, train, *features), users, items)
    advice = "with equal features different values; their features are all that is known of them"
    # The first and the last of the cold users, and of the cold items, are alike.
    for method, output in found.items():
        rows = output.reshape(len(users), -1)
        subject.require(agree(rows[train.n_users], rows[-2]), f"{method} gives two cold users {advice}")
    if "predict" in found:
        columns = found["predict"].reshape(len(users), len(items)).T
        subject.require(agree(columns[train.n_items], columns[-2]), f"predict gives two cold items {advice}")
