"""Preprocessing, splits by time and by newcomer, several data sets: from the command line to tables and pictures."""

from __future__ import annotations

import csv
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="pictures need the extra `plots`")
ODD = "b & <c> $x$ 評価\x01"
WITHOUT_CONTROL = ODD.replace("\x01", "\N{REPLACEMENT CHARACTER}")
METRICS = ("--metric", "RMSE,NDCG@5")


@pytest.fixture(scope="module")
def place(tmp_path_factory, write_ratings) -> Path:
    """A folder with three data sets, one of them oddly named."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("a", ODD, "d")):
        write_ratings(folder / f"{name}.csv", seed=seed)
    return folder


@pytest.fixture(scope="module")
def run(place, call_cfbench):
    """Run the command line where the data are and return the run's folder."""

    def call(name: str, *arguments: str) -> Path:
        call_cfbench(place, "run", *arguments, "-o", name)
        return place / name

    return call


def lines(folder: Path, kind: str) -> list[dict]:
    found = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    return [line for line in found if line["kind"] == kind]


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def words(picture: Path) -> str:
    """All text of an SVG, parsed as the XML that it must be."""
    return "\n".join(ElementTree.parse(picture).getroot().itertext())


@pytest.fixture(scope="module")
def preprocessed(run) -> Path:
    steps = ("-p", "binarise[threshold=3]", "-p", "minimum-ratings[user=15]")
    return run("preprocessed", "-d", "a.csv", *steps, "-m", "bias,item-mean", *METRICS)


def test_preprocessing_is_part_of_the_datas_name_and_recorded_with_what_it_left(preprocessed, place):
    (setting,) = lines(preprocessed, "conditions")
    assert setting["dataset"] == "a after binarise[threshold=3], minimum-ratings[user=15]"
    assert {line["cell"]["dataset"] for line in lines(preprocessed, "record")} == {setting["dataset"]}
    ratings = [line.split(",") for line in (place / "a.csv").read_text().splitlines()[1:]]
    active = [user for user in {row[0] for row in ratings} if sum(row[0] == user for row in ratings) >= 15]
    kept = [row for row in ratings if row[0] in active]
    assert 0 < len(kept) < len(ratings)
    items = {row[1] for row in kept}
    assert setting["preprocessing"] == [
        f"binarise[threshold=3] left {len(ratings)} ratings of 50 users and 30 items",
        f"minimum-ratings[user=15] left {len(kept)} ratings of {len(active)} users and {len(items)} items",
    ]
    assert setting["counts"]["train_rows"] + setting["counts"]["test_rows"] == len(kept)
    assert (setting["scale"], setting["relevant_from"]) == ("0 to 1", 1.0)


def test_preprocessing_is_told_above_the_tables(preprocessed):
    table = (preprocessed / "table.md").read_text()
    assert "## a after binarise\\[threshold=3\\], minimum-ratings\\[user=15\\], holdout" in table
    assert "Preprocessed before splitting: binarise\\[threshold=3\\] left 700 ratings" in table
    assert {row["dataset"] for row in rows(preprocessed, "metrics.csv")} == {
        "a after binarise[threshold=3], minimum-ratings[user=15]"
    }


def test_a_suite_file_preprocesses_as_the_command_line_does(place, run):
    (place / "mine.toml").write_text(
        'datasets = ["a.csv"]\npreprocess = [{name = "k-core", k = 12}]\nmodels = ["bias"]\nmetrics = ["RMSE"]\n'
    )
    by_suite = run("by-suite", "mine.toml")
    by_option = run("by-option", "-d", "a.csv", "-p", "k-core[k=12]", "-m", "bias", "--metric", "RMSE")
    assert lines(by_suite, "conditions") == lines(by_option, "conditions")
    assert [line["metrics"] for line in lines(by_suite, "record")] == [
        line["metrics"] for line in lines(by_option, "record")
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-p", "k-kore"], "unknown preprocessor 'k-kore'; did you mean 'k-core'?"),
        (["-p", "k-core[n=3]"], "parameter of preprocessor 'k-core': 'n'"),
        (["-p", "k-core[k=0]"], "preprocessor k-core[k=0]: k=0: expected a whole number of at least 1"),
        (["-p", "k-core[k=99]"], "leaves none of its 700 ratings; use a smaller k"),
        (["-p", "k-core,k-core"], "listed twice: k-core"),
        (["-s", "leave-one-out[by=tyme]"], "by expects one of random, time, got 'tyme'"),
        (["-s", "cold-users[given=[0,0]]"], "different whole numbers"),
        (["-s", "cold-users[given=[0,500]]"], "give fewer back"),
        (["-s", "temporal[after=someday]"], "after must be a date such as 2014-01-01"),
        (["-d", "synthetic", "-s", "temporal"], "has no timestamps"),
    ],
)
def test_what_preprocessors_and_splitters_cannot_do_is_one_clear_line(place, refused, arguments, complaint):
    data = () if "-d" in arguments else ("-d", "a.csv")
    said = refused(place, "run", *data, *arguments, "-m", "bias", "-o", "refused")
    assert complaint in said
    assert len(said.strip().splitlines()) == 1
    assert not (place / "refused").exists()


@pytest.fixture(scope="module")
def timed(run) -> Path:
    splits = ("-s", "temporal", "-s", "leave-one-out[by=time]", "-s", "holdout")
    return run("timed", "-d", "a.csv", *splits, "-m", "bias,popular", *METRICS)


def test_the_tables_say_how_much_of_the_test_is_no_newer_than_what_models_have_seen(timed):
    share = {line["split"]: line["counts"]["test_rows_not_after_training"] for line in lines(timed, "conditions")}
    tested = {line["split"]: line["counts"]["test_rows"] for line in lines(timed, "conditions")}
    assert tested == {"temporal": 140, "leave-one-out[by=time]": 50, "holdout": 140}
    assert share["temporal"] == 0
    assert 0 < share["leave-one-out[by=time]"] < 50
    assert share["leave-one-out[by=time]"] / 50 < share["holdout"] / 140  # the last of a user is later than any of them
    table = (timed / "table.md").read_text()
    assert "Every test rating is newer than all training ratings." in table
    assert f"{share['holdout'] / 140:.1%} of the test ratings" in table


def test_a_split_that_keeps_its_promise_of_time_order_raises_no_warning(timed):
    assert [line["warnings"] for line in lines(timed, "conditions")] == [[], [], []]


@pytest.fixture(scope="module")
def several(run) -> Path:
    """Three data sets under a plain split and a curve."""
    data = ("-d", "a.csv", "-d", f"{ODD}.csv", "-d", "d.csv")
    splits = ("-s", "holdout", "-s", "cold-users[given=[0,1,2]]")
    return run("several", *data, *splits, "-m", "bias,user-mean,item-mean,popular", *METRICS)


def test_a_curve_has_a_column_for_every_number_of_ratings_given_back(several):
    table = (several / "table.md").read_text().partition("## a, cold-users")[2].partition("\n## ")[0]
    assert "### RMSE against ratings given back" in table
    assert "### NDCG@5 against ratings given back" in table
    (heading,) = {line for line in table.splitlines() if line.startswith("| model") and "s=" in line}
    assert [column.strip() for column in heading.strip("|").split("|")] == ["model", "s=0", "s=1", "s=2"]


def test_n_given_is_a_column_of_the_csv_files_and_empty_where_there_is_no_curve(several):
    for name in ("metrics.csv", "comparisons.csv", "cost.csv"):
        given = {(row["split"], row["n_given"]) for row in rows(several, name)}
        curve = "cold-users[given=[0,1,2]]"
        assert given == {("holdout", ""), (curve, "0"), (curve, "1"), (curve, "2")}, name


def test_points_of_a_curve_are_compared_each_on_its_own_and_never_averaged(several):
    summaries = [line for line in lines(several, "summary") if (line["dataset"], line["model"]) == ("a", "user-mean")]
    assert [(line["n_given"], line["cells"], line["fold_spread"]) for line in summaries] == [
        (None, 1, {}),
        (0, 1, {}),
        (1, 1, {}),
        (2, 1, {}),
    ]
    rmse = [line["metrics"]["RMSE"]["value"] for line in summaries[1:]]
    assert len(set(rmse)) == 3
    assert {line["metrics"]["RMSE"]["n"] for line in summaries[1:]} == {10}  # a fifth of 50 users, the same at every s


def test_warnings_of_a_curve_name_the_point(several):
    curve = (several / "table.md").read_text().partition("## a, cold-users")[2].partition("\n## ")[0]
    assert "### Warnings" in curve
    assert "bias (s=0)" in curve
    assert "measured on fewer than 30 users" in curve
    assert "mostly-cold" not in curve


def test_three_data_sets_give_standings_in_records_and_tables(several):
    standings = lines(several, "standing")
    assert {(line["split"], line["metric"]) for line in standings} == {("holdout", "RMSE"), ("holdout", "NDCG@5")}
    (rmse,) = [line for line in standings if line["metric"] == "RMSE"]
    assert rmse["datasets"] == ["a", ODD, "d"]
    ranks = list(rmse["mean_ranks"].values())
    assert set(rmse["mean_ranks"]) == {"bias", "user-mean", "item-mean"}
    assert ranks == sorted(ranks)
    assert sum(ranks) == pytest.approx(6)
    over = (several / "table.md").read_text().partition("## Over data sets")[2]
    assert "### RMSE over data sets, holdout" in over
    assert f"| {next(iter(rmse['mean_ranks']))}" in over


def test_two_data_sets_are_too_few_for_standings(run):
    folder = run("two", "-d", "a.csv", "-d", "d.csv", "-m", "bias,user-mean,item-mean", "--metric", "RMSE")
    assert lines(folder, "standing") == []
    assert not list(folder.glob("*.svg"))


def test_two_data_sets_of_one_name_are_refused(place, call_cfbench):
    (place / "copy").mkdir()
    shutil.copy(place / "a.csv", place / "copy" / "a.csv")
    done = call_cfbench(place, "run", "-d", "a.csv", "-d", "copy/a.csv", "-m", "bias", "-o", "refused", code=2)
    assert "two data sets are called 'a'" in done.stderr


@needs_matplotlib
def test_curves_and_ranks_are_drawn_and_the_page_shows_them(several):
    drawn = sorted(path.name for path in several.glob("*.svg"))
    assert drawn == ["curve-1.svg", "curve-2.svg", "curve-3.svg", "ranks-1.svg", "ranks-2.svg"]
    table = (several / "table.md").read_text()
    assert all(f"]({name})" in table for name in drawn)
    assert "critical difference" in words(several / "ranks-1.svg")
    assert "user-mean" in words(several / "curve-1.svg")


@needs_matplotlib
def test_no_name_of_a_data_set_breaks_a_picture_or_the_page(several):
    assert WITHOUT_CONTROL in words(several / "curve-2.svg")
    table = (several / "table.md").read_text()
    assert "<c>" not in table
    assert "b &amp; &lt;c&gt;" in table


@needs_matplotlib
def test_a_second_report_writes_the_same_tables_and_pictures_byte_for_byte(several, place, call_cfbench):
    again = place / "again" / "several"
    again.mkdir(parents=True)
    shutil.copy(several / "records.jsonl", again)
    call_cfbench(place, "report", str(again))
    written = {path.name: path.read_bytes() for path in again.iterdir()}
    assert written == {name: (several / name).read_bytes() for name in written}
    assert {"table.md", "curve-1.svg", "ranks-1.svg", "metrics.csv"} <= set(written)


def test_a_metric_takes_parameters_in_brackets_beside_others(run):
    folder = run("brackets", "-d", "a.csv", "-m", "bias", "--metric", "RMSE,diversity[k=3]", "--metric", "NDCG@5")
    assert [line["metric"] for line in lines(folder, "definition")] == ["RMSE", "diversity@3", "NDCG@5"]
