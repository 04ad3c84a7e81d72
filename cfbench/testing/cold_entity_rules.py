"""Rules on cold-start entities: users and items that a model gets to know by their features, after ``fit``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Ratings
from cfbench.testing.example_ratings import cold_entities, described_ratings
from cfbench.testing.model_under_test import ModelUnderTest, agree, model_rule, outputs
from cfbench.testing.output_rules import require_form

_NEEDED = ("cold-entities",)


def codes_with(train: Ratings, users: Features | None, items: Features | None) -> tuple[Codes, Codes]:
    """Return all codes of users and of items: those in training, the cold ones, the unknown one."""
    totals = train.n_users + (len(users) if users else 0), train.n_items + (len(items) if items else 0)
    return np.arange(totals[0] + 1, dtype=np.int32), np.arange(totals[1] + 1, dtype=np.int32)


def _extended(subject: ModelUnderTest, train: Ratings, users: Features | None, items: Features | None) -> Any:
    """Return a model that was fitted on ``train`` and has got cold users and items."""
    model = subject.fitted(train)
    model.add_cold_entities(users, items)
    return model


@model_rule("cold-start entities change no output for training users and items", _NEEDED)
def _known_codes_keep_their_output(subject: ModelUnderTest) -> None:
    train = described_ratings()
    users, items = codes_with(train, None, None)
    known = users[:-1], items[:-1]
    subject.require_alike(
        outputs(subject.fitted(train), *known),
        outputs(_extended(subject, train, *cold_entities()), *known),
        "returns other values for training users and items after add_cold_entities",
    )


@model_rule("cold-start entities get an output, and so does the unknown after them", _NEEDED)
def _cold_entities_get_an_output(subject: ModelUnderTest) -> None:
    train = described_ratings()
    cold_users, cold_items = cold_entities()
    for users, items in ((cold_users, cold_items), (cold_users, None), (None, cold_items)):
        codes = codes_with(train, users, items)
        found = outputs(_extended(subject, train, users, items), *codes)
        require_form(subject, found, *codes, train.n_items, " after add_cold_entities")


@model_rule("cold-start entities with equal features get equal output", _NEEDED)
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
