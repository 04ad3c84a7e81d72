"""Rules on newcomers, whom a model meets by their features after it was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Ratings
from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import described_newcomers, described_ratings
from cfbench.testing.model_under_test import ModelUnderTest, agree, predictions, scores


@dataclass(frozen=True, eq=False)
class Meeting:
    """A model that has met newcomers.

    Attributes:
        train: what it was fitted on.
        model: the model.
        users: every code of a user: training, newcomers, the unknown one.
        items: every code of an item likewise.
    """

    train: Ratings
    model: Any
    users: Codes
    items: Codes

    @classmethod
    def of(cls, subject: ModelUnderTest, users: Features | None, items: Features | None) -> Meeting:
        """Fit the model on described ratings and introduce the newcomers."""
        train = described_ratings()
        model = subject.fitted(train)
        model.add_cold_entities(users, items)
        return cls(train, model, codes_with(train.n_users, users), codes_with(train.n_items, items))


def codes_with(n: int, cold_entities: Features | None) -> Codes:
    """Every code of a side with ``n`` training entities: theirs, the newcomers', the unknown one's."""
    return np.arange(n + (0 if cold_entities is None else len(cold_entities)) + 1, dtype=np.int32)


def _table(model: Any, users: Codes, items: Codes) -> NDArray[Any]:
    """Predictions of every pair, shape (users, items)."""
    flat = predictions(model, np.repeat(users, len(items)), np.tile(items, len(users)))
    return np.array(flat).reshape(len(users), len(items))


def _knows_its_own_as_before(subject: ModelUnderTest) -> None:
    meeting = Meeting.of(subject, *described_newcomers())
    train, stranger = meeting.train, subject.fitted(meeting.train)
    users, items = meeting.users[: train.n_users], meeting.items[: train.n_items]
    advice = "answers training users and items differently after add_cold_entities; newcomers must change nobody else"
    if hasattr(stranger, "predict"):
        subject.require(agree(_table(stranger, users, items), _table(meeting.model, users, items)), f"predict {advice}")
    if hasattr(stranger, "score_items"):
        subject.require(agree(scores(stranger, users), scores(meeting.model, users)), f"score_items {advice}")


def _answers_for_newcomers_and_the_unknown(subject: ModelUnderTest) -> None:
    new_users, new_items = described_newcomers()
    for users, items in ((new_users, new_items), (new_users, None), (None, new_items)):
        meeting = Meeting.of(subject, users, items)
        _require_answers(subject, meeting)


def _require_answers(subject: ModelUnderTest, meeting: Meeting) -> None:
    model = meeting.model
    if hasattr(model, "predict"):
        table = _table(model, meeting.users, meeting.items)
        subject.require(not np.isinf(table).any(), "predict returned infinite values after add_cold_entities")
    if hasattr(model, "score_items"):
        answer, wanted = scores(model, meeting.users), (len(meeting.users), meeting.train.n_items)
        subject.require(
            answer.shape == wanted,
            f"score_items returned shape {answer.shape} after introduce, expected {wanted}: training items alone are "
            "ranked, for newcomers too",
        )
        subject.require(not np.isinf(answer).any(), "score_items returned infinite values after add_cold_entities")


def _answers_equals_alike(subject: ModelUnderTest) -> None:
    meeting = Meeting.of(subject, *described_newcomers())
    first_user, last_user = meeting.train.n_users, meeting.users[-2]
    first_item, last_item = meeting.train.n_items, meeting.items[-2]
    advice = "with equal features differently; their features are all that is known of them"
    if hasattr(meeting.model, "predict"):
        table = _table(meeting.model, meeting.users, meeting.items)
        subject.require(agree(table[first_user], table[last_user]), f"predict answers two new users {advice}")
        subject.require(agree(table[:, first_item], table[:, last_item]), f"predict answers two new items {advice}")
    if hasattr(meeting.model, "score_items"):
        answer = scores(meeting.model, meeting.users)
        subject.require(agree(answer[first_user], answer[last_user]), f"score_items answers two new users {advice}")


RULES = (
    Rule("newcomers change no answer about training users and items", _knows_its_own_as_before, ("cold-entities",)),
    Rule(
        "newcomers get answers, and so does the unknown after them",
        _answers_for_newcomers_and_the_unknown,
        ("cold-entities",),
    ),
    Rule("newcomers with equal features get equal answers", _answers_equals_alike, ("cold-entities",)),
)
