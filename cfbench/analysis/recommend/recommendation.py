"""What to watch next: lists with titles, for a user of the data or for somebody new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.item_titles import Titles
from cfbench.analysis.recommend.favourites import favourite_rows
from cfbench.analysis.recommend.new_user_features import newcomer_features
from cfbench.analysis.recommend.own_ratings import read_own_ratings, with_user
from cfbench.analysis.recommend.suggestions import Suggestions, suggestions
from cfbench.analysis.refit.fitting import at_work
from cfbench.analysis.refit.revival import PastCell, revive
from cfbench.analysis.views.item_tables import Column
from cfbench.errors import RunError, UnknownNameError, UsageError
from cfbench.model.features import Features
from cfbench.model.protocols import TakesColdEntities
from cfbench.model.ratings import Ratings

_SEARCHED = 50_000  # ids among which near ones are looked for: difflib reads them all


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        n: how many items, at least 1.
        include_seen: whether items that the user has rated may be among them.
    """

    n: int = 10
    include_seen: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UsageError(f"n={self.n}: expected a whole number of at least 1")


@dataclass(frozen=True, eq=False)
class Recommendation:
    """What a model recommends to one user.

    Attributes:
        who: the user, for headings.
        suggested: columns ``item`` (id), ``title``, ``genres``, ``score``, ``predicted`` of models that rate, and
            ``own rating``, NaN for what the user has not rated; best first.
        favourites: columns ``item``, ``title``, ``genres``, ``rating`` of what the user has rated highest.
    """

    who: str
    suggested: Mapping[str, Column]
    favourites: Mapping[str, Column]


def recommend_to_user(past: PastCell, user: str, wish: Wish) -> Recommendation:
    """Recommend to the user with this id: the beginning of the list of the run, where the user was tested.

    Raises:
        UnknownNameError: the data have no such user.
        RunError: the model has no list for the user, or broke its contract.
    """
    position = _position(past, user)
    revived = revive(past)
    split = past.split
    known = int(split.user_coding.code_of[position])
    with at_work(past.cell):
        found = suggestions(
            revived.model,
            split.train,
            int(revived.user_codes(np.array([position], dtype=np.int32))[0]),
            wish.n,
            tie_seed=past.questions.tie_seed,
            include_seen=wish.include_seen,
            withheld=_withheld(past, position),
        )
    return _recommendation(past, f"user {user}", split.train, known, found, wish)


def recommend_to_newcomer(past: PastCell, ratings: Path | None, features: str, wish: Wish) -> Recommendation:
    """Recommend to somebody who is not in the data, from ratings, from features, or from both.

    Ratings become rows of one more training user, and the model is fitted again: what any model can do. Features alone
    are told to a model that can meet newcomers.

    Args:
        past: the cell whose data, parameters and seed count.
        ratings: a file as :func:`read_own_ratings` reads it, or None.
        features: as :func:`newcomer_features` reads them, or an empty text.
        wish: what is asked for.

    Raises:
        UsageError: neither is given, the model cannot do with features alone, or something in them is not understood.
        RunError: the model has no list for the user, or broke its contract.
    """
    train = past.split.train
    told = newcomer_features(features, train.user_features) if features or train.user_features is not None else None
    if ratings is not None:
        catalogue = Catalogue.of(past.split)
        own = read_own_ratings(ratings, Titles(catalogue.titles, catalogue.ids), train.scale)
        train = with_user(train, own, told)
        past.note(f"fitting {past.cell.model} with {len(own.items)} ratings of a new user")
        model = past.refitted(train)
    elif features:
        model = _introduced(past, told)
    else:
        raise UsageError("of a new user there must be ratings or features: --ratings FILE.csv, --features age=24")
    user = past.split.train.n_users
    with at_work(past.cell):
        found = suggestions(
            model, train, user, wish.n, tie_seed=past.questions.tie_seed, include_seen=wish.include_seen
        )
    return _recommendation(past, "a new user", train, user, found, wish)


def _introduced(past: PastCell, features: Features | None) -> TakesColdEntities:
    if not issubclass(past.plugin.load(), TakesColdEntities):
        raise UsageError(
            f"{past.cell.model} cannot meet a newcomer by features alone; give ratings: --ratings FILE.csv, or take a "
            "model with the power 'newcomers' (`cfbench list models`)"
        )
    model = past.fresh()
    assert isinstance(model, TakesColdEntities)
    with at_work(past.cell):
        model.add_cold_entities(features, None)
    return model


def _position(past: PastCell, user: str) -> int:
    ids = past.split.dataset.users.ids
    found = np.flatnonzero(ids == user)
    if len(found):
        return int(found[0])
    close = get_close_matches(user, ids.tolist(), n=3) if len(ids) <= _SEARCHED else []
    near = close or ids[:3].tolist()
    hint = f"did you mean {' or '.join(map(repr, near))}?" if close else f"ids are like {', '.join(map(repr, near))}."
    raise UnknownNameError(
        f"{past.cell.dataset} has no user {user!r}; {hint} Somebody new gives a few ratings: --ratings FILE.csv"
    )


def _withheld(past: PastCell, position: int) -> NDArray[np.int32] | None:
    withheld = past.split.withheld
    if withheld is None:
        return None
    place = np.searchsorted(past.split.test_user_positions, position)
    return withheld.items[withheld.places == place] if position in past.split.test_user_positions else None


def _recommendation(
    past: PastCell, who: str, train: Ratings, user: int, found: Suggestions, wish: Wish
) -> Recommendation:
    if not len(found.items):
        raise RunError(f"{past.cell.model} has no list for {who}: it can say nothing of the user or of any item left")
    catalogue = Catalogue.of(past.split)
    mine = train.users == user
    own = np.full(train.n_items, np.nan)
    own[train.items[mine]] = train.ratings[mine]
    suggested = _described(catalogue, found.items)
    if found.predicted is not None:
        suggested["predicted"] = found.predicted
    suggested |= {"score": found.scores, "own rating": own[found.items]}
    rows = favourite_rows(train, user, wish.n)
    favourites = {**_described(catalogue, train.items[rows]), "rating": train.ratings[rows]}
    return Recommendation(who, suggested, favourites)


def _described(catalogue: Catalogue, items: NDArray[np.int32]) -> dict[str, Column]:
    return {"item": catalogue.ids[items], "title": catalogue.titles[items], "genres": catalogue.genres[items]}
