"""Rules on what a model shows of itself."""

from __future__ import annotations

from cfbench.errors import ModelError
from cfbench.inference.embeddings import ask_embeddings
from cfbench.model.ratings import Ratings
from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import random_ratings, single_ratings
from cfbench.testing.model_under_test import ModelUnderTest, agree, answers


def _has_sound_embeddings(subject: ModelUnderTest) -> None:
    for train in (random_ratings(), random_ratings(n_users=7, n_items=40), single_ratings()):
        _require_sound(subject, train)


def _require_sound(subject: ModelUnderTest, train: Ratings) -> None:
    try:
        ask_embeddings(subject.fitted(train), train.n_users, train.n_items)
    except ModelError as error:
        raise AssertionError(f"{subject.name}: {error}") from error


def _keeps_answers_when_shown(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    before = answers(model, train)
    model.embeddings()
    after = answers(model, train)
    for method, answer in before.items():
        subject.require(
            agree(answer, after[method]), f"embeddings changed what {method} answers; only show, never learn"
        )


RULES = (
    Rule("embeddings are finite, with a row for every training user and item", _has_sound_embeddings, ("embeddings",)),
    Rule("showing embeddings changes no answer", _keeps_answers_when_shown, ("embeddings",)),
)
