"""Rules on construction and fitting: parameters, random numbers, isolation, what is learned."""

from __future__ import annotations

import numpy as np

from cfbench.model.protocols import EpochReport
from cfbench.testing.example_ratings import checkerboard, random_ratings
from cfbench.testing.global_randomness import global_state_moves
from cfbench.testing.model_under_test import ModelUnderTest, all_outputs, model_rule, outputs

_ENOUGH = 0.7  # share of pairs in the right order; chance is 0.5


@model_rule("has fit, and predict or score_items")
def _has_methods(subject: ModelUnderTest) -> None:
    cls = subject.load()
    subject.require(callable(getattr(cls, "fit", None)), "has no fit(train, context) method")
    subject.require(
        hasattr(cls, "predict") or hasattr(cls, "score_items"),
        "has neither predict(users, items) nor score_items(users); a recommender needs at least one",
    )


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
    subject.require(
        not changed, f"fit changes the parameters {changed}; keep what it works out in a name ending in '_'"
    )
    wrong = [name for name in vars(model) if name not in before and not name.endswith("_")]
    subject.require(not wrong, f"fit sets {wrong}; names of learned attributes end in '_'")


@model_rule("training data is left unchanged")
def _training_data_stay(subject: ModelUnderTest) -> None:
    _, train = subject.example()
    untouched = random_ratings()
    for name in ("users", "items", "ratings", "timestamps"):
        subject.require(
            np.array_equal(getattr(train, name), getattr(untouched, name)),
            f"fit changed train.{name}, which other models share; work on a copy",
        )


@model_rule("the same seed gives the same output")
def _fits_repeat(subject: ModelUnderTest) -> None:
    train = random_ratings()
    first, second = (all_outputs(subject.fitted(train, seed=2**63 + 11), train) for _ in range(2))
    subject.require_alike(
        first, second, "differs between two fits with the same seed; draw all randomness from context.seed"
    )


@model_rule("global random state is left alone")
def _global_randomness_stays(subject: ModelUnderTest) -> None:
    train = random_ratings()
    subject.load()  # a library may seed itself when it is imported
    moved = global_state_moves(lambda: all_outputs(subject.fitted(train), train))
    subject.require(
        not moved,
        f"fit or predict moved the global random state of {', '.join(moved)}; use a generator of its own, "
        "seeded from context.seed",
    )


@model_rule("a fresh instance does not depend on an earlier one")
def _instances_are_independent(subject: ModelUnderTest) -> None:
    train, other = random_ratings(seed=1), random_ratings(n_users=11, n_items=29, seed=2)
    first = subject.fitted(train)
    before = all_outputs(first, train)
    all_outputs(subject.fitted(other), other)
    subject.require_alike(
        before,
        all_outputs(first, train),
        "of a fitted model changed when another instance was fitted; keep state on the instance",
    )
    subject.require_alike(
        before,
        all_outputs(subject.fitted(train), train),
        "of a fresh instance depends on what an earlier one learned; keep state on the instance",
    )


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
        subject.require(
            share >= _ENOUGH,
            f"{method} puts the relevant one of two unseen items first in {share:.0%} of cases, expected "
            f"{_ENOUGH:.0%}, where even users like even items and odd users odd items; does fit use the codes it is "
            "given, and learn enough with its default parameters?",
        )


@model_rule("epochs are reported in order")
def _epochs_are_reported(subject: ModelUnderTest) -> None:
    reports: list[EpochReport] = []
    subject.fitted(random_ratings(), on_epoch=reports.append)
    epochs = [report.epoch for report in reports]
    subject.require(
        epochs == list(range(1, len(reports) + 1)),
        f"reported the epochs {epochs}; report each once, counting from 1",
    )
    subject.require(all(report.epoch <= report.epochs for report in reports), "reported more epochs than it planned")
    losses = [loss for report in reports for loss in (report.train_loss, report.validation_loss) if loss is not None]
    subject.require(np.isfinite(losses).all(), f"reported losses that are not finite: {losses}")
