"""Recommendations for a user of the data or for a new one, and how they are shown: as tables, JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.finished_cell import FinishedCell, FittedModel, fitted_model, load_or_fit, note_difference
from cfbench.analysis.new_user import new_user_features, read_user_ratings, with_user
from cfbench.analysis.view import Values, ViewTable
from cfbench.data.splits.split import Withheld
from cfbench.errors import RunError, UnknownNameError, UsageError
from cfbench.evaluation.metrics.evaluation import fill_and_clip
from cfbench.files.printable import escaped_json
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model.protocols import PredictsRatings, ScoresItems, TakesColdEntities
from cfbench.model.ratings import Codes, Ratings
from cfbench.reporting.table import TableCell
from cfbench.resources.cost import Clock

_MAX_SEARCHED = 50_000  # ids among which near ones are looked for: difflib reads them all


@dataclass(frozen=True)
class RecommendationRequest:
    """A request for recommendations: a user of the data, or ratings and/or features of a new one.

    Attributes:
        user: the user's id in the data; None for a new user.
        ratings: a new user's ratings, a file as :func:`read_user_ratings` reads it, or None.
        features: a new user's features as :func:`new_user_features` reads them, or an empty text.
        n: how many items, at least 1.
        include_seen: whether items that the user has rated may be among them.
    """

    user: str | None = None
    ratings: Path | None = None
    features: str = ""
    n: int = 10
    include_seen: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UsageError(f"n={self.n}: expected a whole number of at least 1")
        if (self.user is None) == (self.ratings is None and not self.features):
            raise UsageError(
                "expected either --user ID or, for a new user, --ratings FILE.csv and/or --features key=value"
            )


@dataclass(frozen=True, eq=False)
class Recommendation:
    """Items that a model recommends to one user.

    Attributes:
        user: the user, for headings.
        recommended: columns ``item`` (id), ``title``, ``genres``, ``score``, ``predicted`` of models that predict
            ratings, and ``own rating``, NaN for what the user has not rated; best first.
        favourites: columns ``item``, ``title``, ``genres``, ``rating`` of what the user has rated highest.
    """

    user: str
    recommended: Mapping[str, Values]
    favourites: Mapping[str, Values]


def recommend(cell: FinishedCell, request: RecommendationRequest) -> Recommendation:
    """Recommend items by the model of a finished cell.

    A user who was tested in the run gets the beginning of the list of the run. A new user's ratings become rows of one
    more training user, and the model is fitted again: any model can do that. Features alone are given to a model that
    takes cold-start entities.

    Raises:
        UnknownNameError: the data have no such user.
        UsageError: the model cannot do with features alone, or something in them is not understood.
        RunError: the model has no list for the user, or broke its contract.
    """
    split, train = cell.split, cell.split.train
    withheld: Codes | None = None
    fitted: FittedModel | None = None
    if request.user is not None:
        name, position = f"user {request.user}", _user_position(cell, request.user)
        fitted = fitted_model(cell)
        model, user = fitted.model, int(split.user_coding.code_of[position])
        training_user = user
        if position in split.test_user_positions:
            place = np.flatnonzero(split.test_user_positions == position)[0]
            user = int(fitted.queries.ranked_users[place])  # the code of the run: a cold user has one too
            withheld = None if split.withheld is None else split.withheld.items[split.withheld.places == place]
    else:
        name, user, training_user = "a new user", train.n_users, train.n_users
        model, train = _model_of_new_user(cell, request)
    with cell.guarded():
        items, values = _best_items(cell, model, train, user, request, withheld)
    if fitted is not None:
        note_difference(fitted)
    if not len(items):
        raise RunError(f"{cell.cell.model} has no list for {name}: it has no score for the user or for any item left")
    own = np.full(train.n_items, np.nan)
    rows = train.users == training_user
    own[train.items[rows]] = train.ratings[rows]
    favourites = favourite_rows(train, training_user, request.n)
    table = Catalogue.of(split)
    best, rated = (
        {"item": table.ids[codes], "title": table.titles[codes], "genres": table.genres[codes]}
        for codes in (items, train.items[favourites])
    )
    return Recommendation(
        name, {**best, **values, "own rating": own[items]}, {**rated, "rating": train.ratings[favourites]}
    )


def _user_position(cell: FinishedCell, user: str) -> int:
    ids = cell.split.dataset.users.ids
    found = np.flatnonzero(ids == user)
    if len(found):
        return int(found[0])
    close = get_close_matches(user, ids.tolist(), n=3) if len(ids) <= _MAX_SEARCHED else []
    near = close or ids[:3].tolist()
    hint = f"did you mean {' or '.join(map(repr, near))}?" if close else f"ids are like {', '.join(map(repr, near))}."
    raise UnknownNameError(f"{cell.cell.dataset} has no user {user!r}; {hint} New users give --ratings FILE.csv")


def _model_of_new_user(cell: FinishedCell, request: RecommendationRequest) -> tuple[object, Ratings]:
    """Return a model that knows a new user by the code ``n_users`` of the cell's training data, and its own data."""
    train, features = cell.split.train, None
    if request.features or train.user_features is not None:
        features = new_user_features(request.features, train.user_features)
    if request.ratings is not None:
        ratings = read_user_ratings(request.ratings, Catalogue.of(cell.split).title_index, train.scale)
        train = with_user(train, ratings, features)
        cell.note(f"fitting {cell.cell.model} with {len(ratings)} ratings of a new user")
        return cell.refit(train), train
    if not issubclass(cell.plugin.load(), TakesColdEntities):
        raise UsageError(
            f"{cell.cell.model} cannot take a new user by features alone; give ratings: --ratings FILE.csv, or take a "
            "model with the capability 'cold-entities' (`cfbench list models`)"
        )
    model = load_or_fit(cell)
    assert isinstance(model, TakesColdEntities)
    with cell.guarded():
        model.add_cold_entities(features, None)
    return model, train


def _best_items(
    cell: FinishedCell, model: object, train: Ratings, user: int, request: RecommendationRequest, withheld: Codes | None
) -> tuple[NDArray[np.int32], dict[str, Values]]:
    """Return the best items for one user: the beginning of the list that a run would store.

    Args:
        cell: gives the seed for the order of equal scores.
        model: a fitted model.
        train: what it was fitted to.
        user: the user's code, of a cold user too where the model was given it.
        request: says how many items, fewer where there are fewer candidates, and whether seen ones are candidates.
        withheld: item codes that are no candidates for this user, or None.

    Returns item codes, best first, shape (m,), and columns: ``predicted`` ratings clipped to the scale, the training
    mean where the model has none, only of models that predict; ``score``, in the model's own units. Raises ModelError
    where the model breaks its contract.
    """
    users = np.array([user], dtype=np.int32)
    seen = train
    if request.include_seen:  # the same users and items without any rating, so that nothing counts as seen
        seen = Ratings(users[:0], users[:0], train.ratings[:0], None, train.n_users, train.n_items, train.scale)
    taken = None if withheld is None else Withheld(np.zeros(len(withheld), dtype=np.int64), withheld)
    rankings = rank_items(model, seen, users, k=request.n, tie_seed=cell.inputs.tie_seed, clock=Clock(), withheld=taken)
    items = rankings.lists[0][rankings.lists[0] < train.n_items]
    values: dict[str, Values] = {}
    scores = model.score_items(users)[0][items] if isinstance(model, ScoresItems) else None
    if isinstance(model, PredictsRatings):  # last, as in a run
        predicted = predict_ratings(model, np.repeat(users, len(items)), items, Clock())
        values["predicted"] = fill_and_clip(predicted, train.mean, train.scale)
        scores = predicted if scores is None else scores
    assert scores is not None  # a model that can do neither was refused above
    return items, {**values, "score": scores.astype(np.float64)}


def favourite_rows(train: Ratings, user: int, n: int) -> NDArray[np.int64]:
    """Return the rows of the user's ``n`` highest training ratings, best first; of equal ones the latest first.

    Without times the order of the rows stands in for them. A user without training rows has none.
    """
    rows = np.flatnonzero(train.users == user)
    times = rows if train.timestamps is None else train.timestamps[rows]
    return rows[np.lexsort((-rows, -times, -train.ratings[rows]))][:n]


def as_tables(recommendation: Recommendation, model: str) -> list[ViewTable]:
    """Return the tables for a terminal: what is recommended, then what the user has rated highest."""
    recommended = dict(recommendation.recommended)
    if "predicted" in recommended:
        recommended["predicted rating"] = recommended.pop("predicted")
        del recommended["score"]
    tables = [ViewTable("recommended", f"{model} recommends to {recommendation.user}", _readable(recommended))]
    if len(recommendation.favourites["rating"]):
        title = f"What {recommendation.user} has rated highest"
        tables.append(ViewTable("favourites", title, _readable(recommendation.favourites)))
    return tables


def _readable(columns: Mapping[str, Values]) -> dict[str, Values]:
    """Drop what says nothing to a reader, the ids beside the titles and columns without values; genres go last."""
    kept = {
        name: column
        for name, column in columns.items()
        if name != "item" and any(value != "" and value == value for value in column)  # noqa: PLR0124 - NaN differs
    }
    for name in ("rating", "own rating"):  # what a user has given: whole or half stars, no mean
        if name in kept:
            kept[name] = [TableCell(f"{value:g}" if math.isfinite(value) else "-") for value in np.asarray(kept[name])]
    if "genres" in kept:
        kept["genres"] = [str(genres).replace("|", ", ") for genres in kept.pop("genres")]
    return kept


def as_json(recommendation: Recommendation, cell: str) -> str:
    """Return everything as one JSON object; what is unknown is null."""

    def plain(value: Any) -> str | float | None:
        if isinstance(value, str):
            return str(value)
        return float(value) if math.isfinite(value) else None

    content: dict[str, Any] = {"cell": cell, "user": recommendation.user}
    sides = {"recommendations": recommendation.recommended, "favourites": recommendation.favourites}
    for name, columns in sides.items():
        rows = enumerate(zip(*columns.values(), strict=True), start=1)
        content[name] = [{"rank": rank, **dict(zip(columns, map(plain, row), strict=True))} for rank, row in rows]
    return escaped_json(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def as_csv(recommendation: Recommendation) -> str:
    """Return what is recommended as CSV, nothing rounded; favourites are left to the other forms."""
    ranks = range(1, len(recommendation.recommended["item"]) + 1)
    return ViewTable("recommended", "", {"rank": ranks, **recommendation.recommended}).csv()
