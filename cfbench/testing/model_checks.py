"""Conformance checks of models: every rule, applied to the models of a distribution or to a class.

Models under check are fitted on small training sets and queried as the harness does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Coding
from cfbench.errors import PluginError, UnknownNameError
from cfbench.model import CAPABILITIES, Codes, Features, FitContext, Floats, Ratings, RatingScale, frozen
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Value
from cfbench.testing.rule import Rule, RuleBook, Subject, require_known


@dataclass(frozen=True)
class ModelUnderTest(Subject):
    """A model by name, loaded when a check needs it.

    Attributes:
        name: what messages call it.
        load: returns the class.
        params: hyperparameters to check it with; the rest have their defaults.
    """

    name: str
    load: Callable[[], type[Any]]
    params: Mapping[str, Value]

    def new(self) -> Any:
        """Return a fresh, unfitted model."""
        return self.load()(**self.params)

    def fitted(self, train: Ratings, seed: int = 1, **options: Any) -> Any:
        """Return a fresh model that was fitted on ``train``, on one CPU thread; ``options`` are FitContext's."""
        model = self.new()
        model.fit(train, FitContext(seed=seed, device="cpu", threads=1, **options))
        return model

    def example(self) -> tuple[Any, Ratings]:
        """Return a fresh model that was fitted on random ratings, and these."""
        train = random_ratings()
        return self.fitted(train), train

    def require_alike(self, before: Mapping[str, Floats], after: Mapping[str, Floats], advice: str) -> None:
        """Require equal outputs by method, up to rounding in single precision; messages read "METHOD ADVICE"."""
        for method, output in before.items():
            self.require(agree(output, after[method]), f"{method} {advice}")


model_rule = RuleBook[ModelUnderTest]()
"""Decorator of a rule for models; ``needs`` are capabilities of :data:`cfbench.model.CAPABILITIES`."""


@dataclass(frozen=True)
class Check:
    """A rule applied to a model; call it to run it.

    Attributes:
        rule: what is checked.
        subject: the model.
        expected_failure: why the model may break the rule, or an empty text.
    """

    rule: Rule[ModelUnderTest]
    subject: ModelUnderTest
    expected_failure: str = ""

    def __str__(self) -> str:
        return f"{self.subject.name}: {self.rule.name}"

    def __call__(self) -> None:
        """Run the check; raises AssertionError, with advice to the model's author, unless the model conforms.

        A model that conforms where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        self.rule.apply_to(self.subject, self.expected_failure)


def conformance_checks(
    distribution: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    params: Mapping[str, Mapping[str, Value]] | None = None,
) -> list[Check]:
    """Return the checks of every model that the installed ``distribution`` registers, importing none.

    ``expected_failures`` gives a reason for each check that may fail, by ``str(check)`` or, for all models, by the
    rule's name. ``params`` gives hyperparameters to check a model with, by the model's name, where its defaults would
    be slow on small data.

    Raises UnknownNameError where the distribution registers no model, or a name fits no check or model.
    """
    plugins = Registry.discover().plugins("model")
    mine = {plugin.name: plugin for plugin in plugins if plugin.distribution == distribution}
    if not mine:
        known = {plugin.distribution for plugin in plugins}
        advice = "(is it installed, with entry points in cfbench.models?)"
        raise UnknownNameError.among("distribution with models", distribution, known, advice)
    chosen = params or {}
    for name in chosen.keys() - mine.keys():
        raise UnknownNameError.among(f"model of {distribution}", name, mine)
    checks = []
    for plugin in mine.values():
        subject = ModelUnderTest(plugin.name, plugin.load, chosen.get(plugin.name, {}))
        rules = [Rule("loads and is what its source declares", partial(_require_declared, plugin))]
        with suppress(PluginError):  # which the first check raises
            rules += model_rule.for_capabilities(plugin.declaration.capabilities)
        checks += [Check(rule, subject) for rule in rules]
    return _with_exemptions(checks, expected_failures)


def checks_for(
    model: type[Any],
    *,
    name: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
    params: Mapping[str, Value] | None = None,
) -> list[Check]:
    """Return the checks of a model class that need not be registered; the rest as :func:`conformance_checks`."""
    subject = ModelUnderTest(name or model.__name__, lambda: model, params or {})
    rules = model_rule.for_capabilities(_capabilities(model))
    return _with_exemptions([Check(rule, subject) for rule in rules], expected_failures)


def _require_declared(plugin: Plugin, subject: ModelUnderTest) -> None:
    """Require that the class can be loaded and has exactly the capabilities that can be read off its source."""
    subject.require(not plugin.problem, plugin.problem)
    declared, present = set(plugin.declaration.capabilities), _capabilities(plugin.load())
    case = f"its source declares {sorted(declared)}, the loaded class has {sorted(present)}"
    advice = "define the methods in the class body, where they can be read without importing"
    subject.require(declared == present, f"{case}; {advice}")


def _capabilities(model: type[Any]) -> set[str]:
    return {capability.name for capability in CAPABILITIES if hasattr(model, capability.method)}


def _with_exemptions(checks: list[Check], expected_failures: Mapping[str, str] | None) -> list[Check]:
    reasons = expected_failures or {}
    require_known(reasons, {str(check) for check in checks} | {check.rule.name for check in checks})
    return [
        replace(check, expected_failure=reasons.get(str(check)) or reasons.get(check.rule.name, "")) for check in checks
    ]


def outputs(model: Any, users: Codes, items: Codes) -> dict[str, Floats]:
    """Return predictions of every pair of ``users`` and ``items``, and scores of ``users``, by method.

    Copies, so that a model that returns its own arrays cannot change them later.
    """
    return {method: np.array(output) for method, output in _queried(model, *pairs(users, items), users)}


def training_outputs(model: Any, train: Ratings) -> dict[str, Floats]:
    """Return predictions of the pairs in training, and scores of its users, by method; no copies."""
    return dict(_queried(model, train.users, train.items, np.arange(train.n_users, dtype=np.int32)))


def _queried(model: Any, users: Codes, items: Codes, scored: Codes) -> Iterator[tuple[str, Floats]]:
    """Yield predictions of pairs, then scores of users; codes are read-only, as the harness passes them."""
    if hasattr(model, "predict"):
        yield "predict", model.predict(frozen(users), frozen(items))
    if hasattr(model, "score_items"):
        yield "score_items", model.score_items(frozen(scored))


def all_outputs(model: Any, train: Ratings) -> dict[str, Floats]:
    """Return the outputs for all codes of ``train``, the unknown user and item included."""
    return outputs(model, *all_codes(train))


def all_codes(train: Ratings, users: Features | None = None, items: Features | None = None) -> tuple[Codes, Codes]:
    """Return the codes of all users and of all items: those in training, the cold ones if any, the unknown one."""
    totals = train.n_users + (len(users) if users else 0), train.n_items + (len(items) if items else 0)
    return np.arange(totals[0] + 1, dtype=np.int32), np.arange(totals[1] + 1, dtype=np.int32)


def pairs(users: Codes, items: Codes) -> tuple[Codes, Codes]:
    """Return every pair of codes, user by user; two arrays of shape (n users * n items,)."""
    return np.repeat(users, len(items)), np.tile(items, len(users))


def agree(first: Floats, second: Floats) -> bool:
    """Return whether outputs are equal up to rounding in single precision, NaN equalling NaN."""
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)


def random_ratings(n_users: int = 24, n_items: int = 18, seed: int = 0) -> Ratings:
    """Return random whole stars for about 40 % of the pairs; every user and item has at least one."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < 0.4
    diagonal = np.arange(max(n_users, n_items))
    rated[diagonal % n_users, diagonal % n_items] = True
    users, items = rng.permutation(np.argwhere(rated)).T
    return _training(users, items, rng.integers(1, 6, size=len(users)))


def described_ratings() -> Ratings:
    """Return random stars with features of users and items, some of them missing."""
    train = random_ratings()
    user_features, item_features = _features(np.arange(train.n_users), np.arange(train.n_items))
    return replace(train, user_features=user_features, item_features=item_features)


def cold_entities() -> tuple[Features, Features]:
    """Return features of five cold users and four cold items; the first and the last of each are alike."""
    return _features(np.array([0, 1, 2, 3, 0]), np.array([0, 1, 2, 0]))


def single_ratings() -> Ratings:
    """Return one rating of each of 20 users, for 6 items."""
    users = np.arange(20)
    return _training(users, users % 6, 1 + users % 5)


def equal_ratings() -> Ratings:
    """Return three stars of 8 users for two thirds of 6 items each."""
    users, items = np.nonzero(np.indices((8, 6)).sum(axis=0) % 3)
    return _training(users, items, np.full(len(users), 3))


def checkerboard(n_users: int = 300, n_items: int = 200) -> tuple[Ratings, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return ratings of users who find every other item relevant: even users even items, odd users odd items.

    Training holds 7 in 10 of the relevant pairs, rated 5, and 3 in 10 of the others, rated 1. Beside it come two
    tables by code, shape (n_users, n_items): whether an item is relevant to a user, and whether the pair is unseen.
    Users and items are numerous enough for stochastic learners.
    """
    rng = np.random.default_rng(0)
    relevant = np.indices((n_users, n_items)).sum(axis=0) % 2 == 0
    rated = rng.random(relevant.shape) < np.where(relevant, 0.7, 0.3)
    users, items = rng.permutation(np.argwhere(rated)).T
    train = _training(users, items, np.where(relevant[users, items], 5, 1))
    by_code = np.ix_(_coding(users).positions, _coding(items).positions)
    return train, relevant[by_code], ~rated[by_code]


def _features(users: NDArray[np.int64], items: NDArray[np.int64]) -> tuple[Features, Features]:
    """Return ages and occupations, genres and years for row numbers; all but the years are missing in some rows."""
    ages = np.array([18, 35, np.nan, 50], dtype=np.float32)
    occupations, genres = np.array(["artist", "", "nurse"]), np.array(["Drama", "Comedy|Drama", "", "War"])
    return (
        Features({"age": ages[users % 4], "occupation": occupations[users % 3]}),
        Features({"genres": genres[items % 4], "year": 1950.0 + 7 * items}),
    )


def _training(users: NDArray[Any], items: NDArray[Any], ratings: NDArray[Any]) -> Ratings:
    """Code users and items by first appearance, as splits do; nothing may be written to."""
    user_coding, item_coding = _coding(users), _coding(items)
    times = 1_000_000_000 + np.arange(len(users), dtype=np.int64)
    columns = user_coding.codes(users), item_coding.codes(items), ratings.astype(np.float32), times
    column: NDArray[Any]
    for column in columns:
        column.flags.writeable = False  # of the array itself, beneath the read-only view that models get
    return Ratings(*columns, n_users=len(user_coding), n_items=len(item_coding), scale=RatingScale(1, 5))


def _coding(positions: NDArray[Any]) -> Coding:
    return Coding.of(positions.astype(np.int32), int(positions.max()) + 1)
