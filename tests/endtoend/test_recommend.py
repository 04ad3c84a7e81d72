"""`cfbench recommend`, end to end: users of the data get the lists of the run, strangers get lists of their own."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cfbench.analysis.finished_cell import load_cell
from cfbench.cli import main
from cfbench.data.sources.source import default_storage
from cfbench.experiment.past_run import past_records, past_suite
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry

pytest.importorskip("cfbench_scipy", reason="recommends by models of the plugins cfbench-scipy and cfbench-baselines")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, call_cfbench) -> Path:
    place = tmp_path_factory.mktemp("recommended")
    models = ("-m", "svd", "-m", "popular", "-m", "feature-mean")
    call_cfbench(place, "run", "-d", "movietweetings-sample", *models, "--metric", "RMSE", "-o", "run")
    curve = ("-s", "cold-users[given=[0,3]]", "-m", "feature-mean", "-o", "curve")
    call_cfbench(place, "run", "-d", "movietweetings-sample", *curve, "--metric", "RMSE")
    return place


@pytest.fixture
def recommend(capsys):
    """Recommend in this process; return what was printed, and what was said on standard error."""

    def call(folder: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as left:
            main(["recommend", str(folder), *arguments])
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        return said.out, said.err

    return call


def past(folder: Path, text: str):
    return load_cell(RunFolder(folder), text, Registry.discover(), default_storage(None), lambda note: None)


def stored_lists(folder: Path, text: str) -> dict[str, list[str]]:
    """The run's lists, by user id, as item ids."""
    cell = past(folder, text)
    items, users = cell.split.dataset.items.ids, cell.split.dataset.users.ids
    codes = cell.split.item_coding.positions
    return {
        str(users[person]): [str(one) for one in items[codes[row[row < len(codes)]]]]
        for person, row in zip(cell.split.test_user_positions, cell.output.lists, strict=True)
    }


@pytest.mark.parametrize("model", ["svd", "popular", "feature-mean"])
def test_a_test_user_gets_the_list_of_the_run(recommend, finished, model):
    lists = stored_lists(finished / "run", model)
    for user in list(lists)[:: max(1, len(lists) // 3)]:
        told = json.loads(recommend(finished / "run", model, "--user", user, "--format", "json")[0])
        assert [one["item"] for one in told["recommendations"]] == lists[user]


def test_a_held_out_user_gets_the_list_of_the_run_at_every_point_of_a_curve(recommend, finished):
    folder = RunFolder(finished / "curve")
    records = past_records(folder, past_suite(folder), print).values()
    for record in records:
        lists = stored_lists(finished / "curve", record.cell.key)
        user = next(iter(lists))
        told = json.loads(recommend(folder.path, record.cell.key, "--user", user, "--format", "json")[0])
        assert [one["item"] for one in told["recommendations"]] == lists[user]


def test_a_table_shows_titles_genres_and_the_users_own_favourites(recommend, finished):
    cell = past(finished / "run", "svd")
    active = cell.split.dataset.users.ids[cell.split.user_coding.positions[cell.split.train.user_counts.argmax()]]
    out, _ = recommend(finished / "run", "svd", "--user", str(active), "-n", "3")
    assert f"svd recommends to user {active}" in out
    assert f"What user {active} has rated highest" in out
    assert "predicted rating" in out
    assert "genres" in out


def test_seen_items_come_back_on_request_with_the_users_own_rating(recommend, finished):
    cell = past(finished / "run", "svd")
    train = cell.split.train
    code = int(train.user_counts.argmax())
    user = str(cell.split.dataset.users.ids[cell.split.user_coding.positions[code]])
    seen = set(cell.split.dataset.items.ids[cell.split.item_coding.positions[train.items[train.users == code]]])
    everything = ("-n", str(train.n_items), "--format", "csv", "--user", user)
    rows = list(csv.DictReader(io.StringIO(recommend(finished / "run", "svd", *everything, "--include-seen")[0])))
    assert len(rows) == train.n_items
    assert {row["item"] for row in rows if row["own rating"]} == seen
    unseen = list(csv.DictReader(io.StringIO(recommend(finished / "run", "svd", *everything, "--exclude-seen")[0])))
    assert not seen & {row["item"] for row in unseen}
    assert len(unseen) == train.n_items - len(seen)


def test_a_ranker_gives_scores_and_no_ratings(recommend, finished):
    user = next(iter(stored_lists(finished / "run", "popular")))
    told = json.loads(recommend(finished / "run", "popular", "--user", user, "--format", "json")[0])
    assert "predicted" not in told["recommendations"][0]
    scores = [one["score"] for one in told["recommendations"]]
    assert scores == sorted(scores, reverse=True)


def test_ratings_of_somebody_new_are_learned_from(recommend, finished, tmp_path):
    cell = past(finished / "run", "svd")
    titles = cell.split.dataset.items.columns["title"][cell.split.item_coding.positions[:3]]
    mine = tmp_path / "mine.csv"
    with mine.open("w", newline="") as file:
        csv.writer(file).writerows([("title", "rating"), *zip(titles, (9, 2, 7), strict=True)])
    out, err = recommend(finished / "run", "svd", "--ratings", str(mine), "--format", "json")
    told = json.loads(out)
    assert told["user"] == "a new user"
    assert [one["rating"] for one in told["favourites"]] == [9, 7, 2]
    assert not set(titles) & {one["title"] for one in told["recommendations"]}
    assert "fitting svd with 3 ratings of a new user" in err


def test_recommending_to_somebody_new_twice_gives_the_same(recommend, finished, tmp_path):
    cell = past(finished / "run", "svd")
    mine = tmp_path / "mine.csv"
    mine.write_text(f"item,rating\n{cell.split.dataset.items.ids[0]},8\n")
    first, second = (recommend(finished / "run", "svd", "--ratings", str(mine), "--format", "csv") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "no-such-user"], "has no user 'no-such-user'"),
        ([], "expected either --user ID or, for a new user, --ratings"),
        (["--user", "1", "--ratings", "mine.csv"], "expected either --user ID"),
        (["--ratings", "missing.csv"], "cannot read missing.csv"),
        (["--features", "age=3"], "know nothing of their users beside ratings"),
        (["--user", "1", "-n", "0"], "n=0: expected a whole number of at least 1"),
    ],
)
def test_the_users_mistakes_are_told_with_what_to_do(recommend, finished, arguments, said):
    assert said in recommend(finished / "run", "svd", *arguments, code=2)[1]
