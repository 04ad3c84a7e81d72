"""Somebody who is not in the data, met by features, by ratings, or by both."""

from dataclasses import replace

import numpy as np
import pytest

from cfbench.analysis.finished_cell import FinishedCell
from cfbench.analysis.recommendation import RecommendationRequest, recommend
from cfbench.data.dataset import Entities
from cfbench.data.splits.split import Fold, Split
from cfbench.errors import UsageError
from cfbench.inference.output import ModelOutput
from cfbench.model.features import Features
from cfbench.model.protocols import FitContext
from cfbench.records.cell import Cell
from cfbench.records.record import Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry

FeatureMean = pytest.importorskip(
    "cfbench_baselines.feature_mean", reason="a model that meets newcomers: plugin cfbench-baselines"
).FeatureMean


@pytest.fixture
def past(make_dataset, tmp_path):
    """Build a finished cell on data where the young love even items and others odd ones."""

    def build(model: str) -> FinishedCell:
        rows = [(u, i, 5 if (u + i) % 2 == 0 else 1) for u in range(8) for i in range(6) if (u, i) != (0, 0)]
        dataset = make_dataset([*rows, (0, 0, 5)])
        groups = np.array(["young" if user % 2 == 0 else "old" for user in range(8)])
        items = {"title": np.array([f"Film {number}" for number in range(6)])}
        dataset = replace(
            dataset, users=Entities(dataset.users.ids, {"group": groups}), items=Entities(dataset.items.ids, items)
        )
        last = len(rows)
        split = Split.of(dataset, "by-hand", Fold("", np.arange(last), np.array([last])))
        plugin = Registry.discover().named("model", model)
        cell = Cell("d", "by-hand", "", split.fingerprint, model, {}, plugin.distribution, "1", "", 0, 0, 10)
        return FinishedCell(RunFolder(tmp_path), Record(cell, "ok"), split, plugin, ModelOutput(None, None), [].append)

    return build


def test_a_newcomer_by_features_gets_what_the_model_says_of_such_a_user(past):
    cell = past("feature-mean")
    found = recommend(cell, RecommendationRequest(features="group=young", n=6))
    model = FeatureMean()
    model.fit(cell.split.train, FitContext(0))
    model.add_cold_entities(Features({"group": np.array(["young"])}), None)
    user = np.full(6, cell.split.train.n_users, dtype=np.int32)
    expected = model.predict(user, np.arange(6, dtype=np.int32))
    places = {
        title: code for code, title in enumerate(np.char.add("Film ", cell.split.item_coding.positions.astype(str)))
    }
    assert sorted(found.recommended["title"]) == [f"Film {number}" for number in range(6)]
    assert list(found.recommended["score"]) == pytest.approx(
        [expected[places[one]] for one in found.recommended["title"]]
    )
    assert len(found.favourites["rating"]) == 0


def test_ratings_and_features_make_one_training_user_more(past, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("title,rating\nFilm 2,5\nFilm 3,1\n")
    found = recommend(past("feature-mean"), RecommendationRequest(ratings=mine, features="group=young", n=6))
    assert set(found.recommended["title"]) == {"Film 0", "Film 1", "Film 4", "Film 5"}
    assert list(found.favourites["title"]) == ["Film 2", "Film 3"]
    assert list(found.favourites["rating"]) == [5, 1]


def test_seen_items_come_with_the_newcomers_own_ratings(past, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("title,rating\nFilm 2,5\n")
    found = recommend(past("item-mean"), RecommendationRequest(ratings=mine, n=6, include_seen=True))
    own = dict(zip(found.recommended["title"], found.recommended["own rating"], strict=True))
    assert own.pop("Film 2") == 5
    assert np.isnan(list(own.values())).all()


def test_a_model_that_cannot_meet_newcomers_is_told_so_before_it_is_fitted(past):
    cell = past("item-mean")
    with pytest.raises(UsageError, match="item-mean cannot take a new user by features alone; give ratings"):
        recommend(cell, RecommendationRequest(features="group=young"))
    assert cell.note.__self__ == []


@pytest.mark.parametrize("known", [{}, {"user": "7", "features": "age=3"}])
def test_a_user_is_one_of_the_data_or_a_new_one_of_whom_something_is_known(known):
    with pytest.raises(UsageError, match="expected either --user ID or, for a new user, --ratings"):
        RecommendationRequest(**known)
