"""Models that each break one rule, and the check that must notice."""

import random
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from cfbench.errors import UnknownNameError
from cfbench.model import Embeddings, EpochReport
from cfbench.registry.registry import Plugin, Registry
from cfbench.testing import checks_for, conformance_checks


@dataclass
class Tastes:
    """A conforming model: the user's mean rating of items of the same kind, learned by clustering on taste."""

    weight: float = 1.0

    def fit(self, train, context):
        matrix = np.zeros((train.n_users + 1, train.n_items + 1))
        matrix[train.users, train.items] = train.ratings - train.mean
        self.mean_ = train.mean
        # Two hops along co-rating: what those who agree with the user thought of the item.
        self.answers_ = self.mean_ + self.weight * (matrix @ matrix.T @ matrix) / len(train)

    def predict(self, users, items):
        return self.answers_[users, items]

    def score_items(self, users):
        return self.answers_[users, :-1]


def outcome(model, **options):
    """Names of the rules that ``model`` breaks."""
    broken = []
    for check in checks_for(model, **options):
        try:
            check()
        except AssertionError:
            broken.append(check.rule.name)
    return broken


def variant(**methods):
    """``Tastes`` with some methods replaced."""
    return dataclass(type("Variant", (Tastes,), methods))


def original(name):
    return getattr(Tastes, name)


def test_a_conforming_model_breaks_no_rule():
    assert outcome(Tastes) == []


def fit_then(action):
    def fit(self, train, context):
        original("fit")(self, train, context)
        action(self, train, context)

    return fit


def predict_instead(answer):
    def predict(self, users, items):
        return answer(original("predict")(self, users, items), users, items)

    return predict


def scores_instead(answer):
    def score_items(self, users):
        return answer(original("score_items")(self, users), users)

    return score_items


def raise_on_unknown(answers, users, items):
    if len(users) and users.max() > 23:
        raise IndexError("user 24")
    return answers


def shift_by_batch(answers, users, items):
    return answers + answers.mean() if len(answers) else answers


def write_into_training(self, train, context):
    ratings = train.ratings.base if train.ratings.base is not None else train.ratings
    ratings.flags.writeable = True
    ratings[0] = 2.5


def remember_in_class(self, train, context):
    type(self).shared = type(self).shared + 1
    self.answers_ = self.answers_ + type(self).shared


def seed_from_clock(self, train, context):
    self.answers_ = self.answers_ + np.random.default_rng().random()


def report_backwards(self, train, context):
    for epoch in (2, 1):
        context.on_epoch(EpochReport(epoch, 2))


def report_nan(self, train, context):
    context.on_epoch(EpochReport(1, 1, train_loss=float("nan")))


def remember_pairs(self, users, items):
    self.asked_ |= set(zip(users.tolist(), items.tolist(), strict=True))
    return original("predict")(self, users, items)


def lift_remembered_pairs(self, users):
    lifted = [[(user, item) in self.asked_ for item in range(len(self.answers_[0]) - 1)] for user in users.tolist()]
    return original("score_items")(self, users) + 100.0 * np.array(lifted).reshape(len(users), -1)


def remember_first_answers(self, users, items):
    leaning = original("predict")(self, users, items) + np.log1p(len(users)) / 10
    for user, item, answer in zip(users.tolist(), items.tolist(), leaning.tolist(), strict=True):
        self.asked_.setdefault((user, item), answer)
    return np.array([self.asked_[pair] for pair in zip(users.tolist(), items.tolist(), strict=True)], dtype=float)


def count_questions(self, users, items):
    self.asked_ = self.asked_ + np.bincount(items, minlength=len(self.answers_[0]))
    return original("predict")(self, users, items) + 0.01 * self.asked_[items]


def beginning_with(start):
    return fit_then(lambda self, train, context: setattr(self, "asked_", start()))


FORM = "outputs have the right shape, a float type and no infinities"
ASKED_BEFORE = "outputs do not depend on what was asked before"
MUTANTS = {
    "integer answers": (
        {"predict": predict_instead(lambda a, u, i: np.rint(a).astype(int))},
        {FORM, "an empty query gives an empty output"},
    ),
    "a column vector": ({"predict": predict_instead(lambda a, u, i: a[:, None])}, {FORM}),
    "an infinite score": (
        {"score_items": scores_instead(lambda a, u: a + np.where(u > 3, np.inf, 0)[:, None])},
        {FORM},
    ),
    "a column for the unknown item": ({"score_items": lambda self, users: self.answers_[users]}, {FORM}),
    "an error at unknown codes": ({"predict": predict_instead(raise_on_unknown)}, {FORM}),
    "nothing to say": (
        {"predict": predict_instead(lambda a, u, i: a * np.nan)},
        {"outputs for its own training data are not all NaN"},
    ),
    "its own array handed out": (
        {"score_items": lambda self, users: self.answers_[: len(users), :-1]},
        {"outputs are arrays that the caller may write to", "scores do not depend on order or chunks"},
    ),
    "a read-only answer": (
        {"score_items": scores_instead(lambda a, u: np.broadcast_to(a[:1], a.shape) if len(u) else a)},
        {"outputs are arrays that the caller may write to"},
    ),
    "answers that lean on the batch": (
        {"predict": predict_instead(shift_by_batch)},
        {"predictions do not depend on order or chunks", "unknown codes do not change the output for known ones"},
    ),
    "pairs remembered and lifted in the ranking": (
        {"fit": beginning_with(set), "predict": remember_pairs, "score_items": lift_remembered_pairs},
        {ASKED_BEFORE},
    ),
    "first answers that lean on their batch, remembered": (
        {"fit": beginning_with(dict), "predict": remember_first_answers},
        {ASKED_BEFORE},
    ),
    "questions counted by item": (
        {"fit": beginning_with(lambda: np.zeros(1)), "predict": count_questions},
        {ASKED_BEFORE, "predictions do not depend on order or chunks"},
    ),
    "another answer for a pair on its own": (
        {"predict": predict_instead(lambda a, u, i: a + (len(u) == 1))},
        {"predictions do not depend on order or chunks"},
    ),
    "other scores for a user on their own": (
        {"score_items": scores_instead(lambda a, u: a + (len(u) == 1) * np.arange(a.shape[1]))},
        {"scores do not depend on order or chunks"},
    ),
    "scores upside down": ({"score_items": scores_instead(lambda a, u: -a)}, {"scores rank as predictions do"}),
    "training data written to": ({"fit": fit_then(write_into_training)}, {"training data is left unchanged"}),
    "a seed of its own": ({"fit": fit_then(seed_from_clock)}, {"the same seed gives the same output"}),
    "numpy's global state": (
        {"fit": fit_then(lambda self, train, context: np.random.seed(0))},  # noqa: NPY002 - the very mistake
        {"global random state is left alone"},
    ),
    "python's global state": (
        {"fit": fit_then(lambda self, train, context: random.random())},
        {"global random state is left alone"},
    ),
    "state on the class": (
        {"shared": 0, "__annotations__": {"shared": ClassVar[int]}, "fit": fit_then(remember_in_class)},
        {"a fresh instance does not depend on an earlier one", "the same seed gives the same output"},
    ),
    "no learning": (
        {"fit": fit_then(lambda self, train, context: setattr(self, "answers_", self.answers_ * 0))},
        {"learns a checkerboard of tastes"},
    ),
    "a learned name without underscore": (
        {"fit": fit_then(lambda self, train, context: setattr(self, "factors", 1))},
        {"fit keeps parameters and marks what it learned"},
    ),
    "a parameter overwritten": (
        {"fit": fit_then(lambda self, train, context: setattr(self, "weight", 2.0))},
        {"fit keeps parameters and marks what it learned"},
    ),
    "epochs backwards": ({"fit": fit_then(report_backwards)}, {"epochs are reported in order"}),
    "a loss that is NaN": ({"fit": fit_then(report_nan)}, {"epochs are reported in order"}),
    "work in the constructor": (
        {"__post_init__": lambda self: setattr(self, "answers_", None)},
        {"construction only stores parameters"},
    ),
}


@dataclass
class Capable(Tastes):
    """A conforming model with every capability: cold-start entities are predicted from their features."""

    def fit(self, train, context):
        super().fit(train, context)
        self.shape_ = (train.n_users, train.n_items)
        self.vectors_ = np.zeros((train.n_users, 2)), np.ones((train.n_items, 2))
        self.known_ = self.answers_[:-1, :-1]

    def add_cold_entities(self, users, items):
        rows = [self.known_, np.full((0 if users is None else len(users), self.shape_[1]), self.mean_)]
        known = np.concatenate([*rows, np.full((1, self.shape_[1]), self.mean_)])
        years = np.empty(0) if items is None else items.columns["year"]
        new = np.tile(np.append(years / 1000, self.mean_), (len(known), 1))
        self.answers_ = np.concatenate([known, new], axis=1)

    def score_items(self, users):
        return self.answers_[users, : self.shape_[1]]

    def embeddings(self):
        return Embeddings(*self.vectors_)

    def rating_range(self):
        return float(self.answers_.min()), float(self.answers_.max())


def capable(**methods):
    """``Capable`` with some methods replaced."""
    return dataclass(type("Variant", (Capable,), methods))


def shown(change):
    return {"embeddings": lambda self: change(self, Capable.embeddings(self))}


def introduced_then(action):
    def add_cold_entities(self, users, items):
        Capable.add_cold_entities(self, users, items)
        action(self)

    return {"add_cold_entities": add_cold_entities}


def forget(self):
    self.answers_ = self.answers_[:-1]


def number_the_cold_users(self):
    self.answers_ = self.answers_ + np.maximum(0, np.arange(len(self.answers_)) - 23)[:, None]


def widen(self):
    self.shape_ = self.answers_.shape


SOUND = "embeddings are finite, with a row for every training user and item"
RANGE = "predicts within the range that it states"
COLD = "cold-start entities get an output, and so does the unknown after them"
CAPABILITY_MUTANTS = {
    "a row for the unknown": (shown(lambda self, e: replace(e, users=np.zeros((self.shape_[0] + 1, 2)))), {SOUND}),
    "embeddings that are NaN": (shown(lambda self, e: replace(e, items=e.items * np.nan)), {SOUND}),
    "embeddings that are a pair": (shown(lambda self, e: (e.users, e.items)), {SOUND}),
    "flat embeddings": (shown(lambda self, e: replace(e, items=e.items[:, 0])), {SOUND}),
    "too few biases": (shown(lambda self, e: replace(e, item_biases=np.zeros(3))), {SOUND}),
    "an offset that is no number": (shown(lambda self, e: replace(e, offset=None)), {SOUND}),
    "learning while shown": (
        shown(lambda self, e: setattr(self, "answers_", self.answers_ + 1) or e),
        {"reading embeddings changes no output"},
    ),
    "predictions beyond the stated range": ({"rating_range": lambda self: (2.9, 3.1)}, {RANGE}),
    "a range upside down": ({"rating_range": lambda self: (5, 1)}, {RANGE}),
    "a range of one number": ({"rating_range": lambda self: 5}, {RANGE}),
    "no room for the unknown": (introduced_then(forget), {COLD}),
    "cold-start items ranked as candidates": (introduced_then(widen), {COLD}),
    "training users moved by cold-start entities": (
        introduced_then(lambda self: setattr(self, "answers_", self.answers_ * 2)),
        {"cold-start entities change no output for training users and items"},
    ),
    "cold-start entities told apart by number": (
        introduced_then(number_the_cold_users),
        {"cold-start entities with equal features get equal output"},
    ),
}


def test_a_conforming_model_with_every_capability_breaks_no_rule():
    assert outcome(Capable) == []


@pytest.mark.parametrize("name", CAPABILITY_MUTANTS)
def test_a_broken_rule_of_a_capability_is_noticed_by_its_check(name):
    methods, noticing = CAPABILITY_MUTANTS[name]
    assert noticing <= set(outcome(capable(**methods)))


def test_rules_of_a_capability_bind_only_models_that_have_it():
    assert not {SOUND, COLD} & {check.rule.name for check in checks_for(Tastes)}


def test_the_author_is_told_what_embeddings_must_be():
    broken = capable(**shown(lambda self, e: replace(e, items=e.items[1:])))
    check = next(check for check in checks_for(broken) if check.rule.name == SOUND)
    with pytest.raises(AssertionError, match=r"Variant\.embeddings\(\)\.items must .* shape \(18, 2\), got \(17, 2\)"):
        check()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_noticed_by_its_check(name):
    methods, noticing = MUTANTS[name]
    assert noticing <= set(outcome(variant(**methods)))


def test_a_parameter_that_no_suite_file_can_hold_is_noticed():
    @dataclass
    class Fancy(Tastes):
        options: dict = field(default_factory=dict)

    assert outcome(Fancy) == ["parameters are JSON scalars or flat tuples"]


def test_a_class_without_answers_is_noticed():
    @dataclass
    class Silent:
        def fit(self, train, context):
            pass

    assert "has fit, and predict or score_items" in outcome(Silent)


def test_a_class_that_is_no_dataclass_is_told_why_it_must_be_one():
    class Plain:
        fit, predict, score_items = original("fit"), original("predict"), original("score_items")
        weight = 1.0

    check = next(check for check in checks_for(Plain) if check.rule.name == "construction only stores parameters")
    with pytest.raises(AssertionError, match=r"Plain: is not a dataclass; its annotated fields are how"):
        check()


def test_a_pure_ranker_is_not_asked_for_predictions():
    @dataclass
    class Ranker:
        fit, score_items = original("fit"), original("score_items")
        weight: float = 1.0

    names = {check.rule.name for check in checks_for(Ranker)}
    assert "scores do not depend on order or chunks" in names
    assert not names & {"predictions do not depend on order or chunks", "scores rank as predictions do"}
    assert outcome(Ranker) == []


def test_a_checks_text_names_model_and_behaviour():
    texts = [str(check) for check in checks_for(Tastes, name="tastes")]
    assert "tastes: the same seed gives the same output" in texts
    assert len(texts) == len(set(texts))


def test_params_reach_the_model():
    # The weight 0 leaves nothing but the mean.
    assert outcome(Tastes, params={"weight": 0.0}) == ["learns a checkerboard of tastes"]


def test_an_expected_failure_passes_by_rule_or_by_full_name():
    for name in ("learns a checkerboard of tastes", "Tastes: learns a checkerboard of tastes"):
        assert outcome(Tastes, params={"weight": 0.0}, expected_failures={name: "weight 0"}) == []


def test_an_expected_failure_that_passes_is_an_error():
    reasons = {"learns a checkerboard of tastes": "said to be dull"}
    check = next(check for check in checks_for(Tastes, expected_failures=reasons) if check.expected_failure)
    with pytest.raises(AssertionError, match=r"passes, although it is listed .* 'said to be dull'; take it off"):
        check()


def test_an_expected_failure_of_no_check_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"did you mean .*learns a checkerboard of tastes"):
        checks_for(Tastes, expected_failures={"learns a chequerboard of tastes": "spelling"})


def test_a_distribution_without_models_is_refused():
    with pytest.raises(UnknownNameError, match="unknown distribution with models 'numpy'"):
        conformance_checks("numpy")


def test_what_a_model_raises_is_told_with_the_check_that_found_it():
    broken = variant(fit=fit_then(lambda self, train, context: train.no_such_column))
    check = next(check for check in checks_for(broken) if check.rule.name == FORM)
    with pytest.raises(AssertionError, match=r"^Variant: outputs .*: raised AttributeError: .*no_such"):
        check()


def registered(monkeypatch, value, problem=""):
    """The checks of a model that the distribution ``acme`` registers as ``value``."""
    plugin = Plugin("model", "acme", value, "acme", "1.0", problem)
    monkeypatch.setattr(Registry, "discover", lambda: Registry([plugin]))
    return conformance_checks("acme")


def test_a_plugin_that_cannot_be_used_fails_with_the_registrys_reason(monkeypatch):
    checks = registered(monkeypatch, "cfbench.no_such_module:Model", problem="needs acme-core 2.0")
    assert [str(check) for check in checks] == ["acme: loads and is what its source declares"]
    with pytest.raises(AssertionError, match=r"acme: needs acme-core 2\.0"):
        checks[0]()


def test_a_capability_that_cannot_be_read_off_the_source_is_noticed(monkeypatch, tmp_path):
    source = (
        "class Model:\n    def fit(self, train, context): ...\n\nModel.predict = lambda self, users, items: users\n"
    )
    (tmp_path / "acme_hidden_capability.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    check = registered(monkeypatch, "acme_hidden_capability:Model")[0]
    with pytest.raises(AssertionError, match=r"its source declares \[\], the loaded class has \['predicts'\]"):
        check()


def test_params_for_a_model_that_the_distribution_has_not_are_refused(monkeypatch):
    registered(monkeypatch, "acme:Model")
    with pytest.raises(UnknownNameError, match="did you mean 'acme'"):
        conformance_checks("acme", params={"acne": {}})
