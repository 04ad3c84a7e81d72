"""`cfbench inspect`, end to end: a finished run's models looked into, with and without saved models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cfbench.cli import main

pytest.importorskip("cfbench_scipy", reason="looks into models of the plugin cfbench-scipy")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, call_cfbench) -> Path:
    """A run of a model with biases and factors, of one without either, and of one of two parameters."""
    place = tmp_path_factory.mktemp("inspected")
    models = ("-m", "svd", "-m", "item-mean", "-m", "bias[damping_users=1]", "-m", "bias[damping_users=2]")
    call_cfbench(place, "run", "-d", "movietweetings-sample", *models, "--metric", "RMSE", "-o", "run")
    return place / "run"


@pytest.fixture
def inspect(capsys):
    """Inspect in this process; return what was printed, and what was said on standard error."""

    def call(folder: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as left:
            main(["inspect", str(folder), *arguments])
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        return said.out, said.err

    return call


def cell_key(folder: Path, model: str) -> str:
    cells = {path.stem: json.loads(path.read_text())["record"]["cell"] for path in (folder / "cells").glob("*.json")}
    (found,) = [key for key, cell in cells.items() if cell["model"] == model]
    return found


def test_tables_are_printed_and_written_into_the_runs_folder(inspect, finished):
    out, err = inspect(finished, "svd", "--only", "nearest,components,spread")
    place = finished / "inspect" / f"svd-{cell_key(finished, 'svd')[:8]}"
    assert {"inspect.md", "nearest-1.csv", "components.csv", "spread.csv"} <= {path.name for path in place.iterdir()}
    assert "Variance explained" in out
    assert "fitting svd on movietweetings-sample holdout again" in err
    assert "is not the one in" not in err
    assert f"wrote {place / 'inspect.md'}" in err


@pytest.fixture(scope="module")
def refitted(finished, call_cfbench) -> Path:
    """All that is seen of a model that was fitted again."""
    call_cfbench(finished.parent, "inspect", "run", "svd", "-o", "refitted", "--min-ratings", "3")
    return finished.parent / "refitted"


def test_inspecting_again_writes_the_same_bytes(inspect, finished, refitted, tmp_path):
    inspect(finished, "svd", "-o", str(tmp_path), "--min-ratings", "3")
    files = sorted(path.name for path in refitted.iterdir())
    assert "components.csv" in files
    for name in files:
        assert (refitted / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_a_model_without_factors_says_so_and_shows_the_rest(inspect, finished, tmp_path):
    out, _ = inspect(finished, "item-mean", "-o", str(tmp_path))
    assert "item-mean shows no item factors." in out
    assert "mean score over the test users against training ratings" in out


def test_leaving_out_the_most_active_users_is_held_against_three_controls(inspect, finished, tmp_path):
    out, err = inspect(finished, "svd", "--only", "spread", "--without-active", "0.02", "-o", str(tmp_path))
    rows = (tmp_path / "active.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [
        "without the most active 2.00%",
        "without as many random users",
        "without random users of as many ratings",
        "with another seed",
    ]
    seed_alone = rows[4].split(",")
    assert seed_alone[1:4] == ["0", "0", "1.0"]  # svd draws nothing at random
    assert int(rows[1].split(",")[2]) > int(rows[2].split(",")[2])
    assert "fitting svd with another seed" in err
    assert "How far top-10 lists move" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "unknown cell 'nosuch'"),
        (["bias"], "'bias' fits 2 cells; name one, by its key if need be:\n"),
        ([], "there are 4 cells; name one"),
        (["svd", "--only", "nearst"], "unknown view 'nearst'; did you mean 'nearest'"),
        (["svd", "--near", "No Film of this Name"], "no item of the training data is called 'No Film of this Name'"),
        (["svd", "--format", "jpg"], "unknown format of pictures 'jpg'"),
        (["svd", "-n", "0"], "n=0: expected a whole number of at least 1"),
        (["svd", "--without-active", "2"], "--without-active 2: expected a share of the users"),
    ],
)
def test_the_users_mistakes_are_told_with_what_to_do(inspect, finished, arguments, said):
    _, err = inspect(finished, *arguments, code=2)
    assert said in err


def test_a_folder_that_is_no_run_is_the_users_mistake(inspect, tmp_path):
    assert "holds no run" in inspect(tmp_path, "svd", code=2)[1]


def test_data_that_changed_since_the_run_are_refused(inspect, write_ratings, call_cfbench, tmp_path):
    data = write_ratings(tmp_path / "ratings.csv")
    call_cfbench(tmp_path, "run", "-d", str(data), "-m", "svd", "--metric", "RMSE", "-o", "run")
    inspect(tmp_path / "run", "--only", "spread")
    write_ratings(data, seed=1)
    assert "has other rows now" in inspect(tmp_path / "run", code=2)[1]


def test_a_model_that_answers_otherwise_than_in_the_run_is_told(inspect, finished, tmp_path, monkeypatch):
    from cfbench_scipy.truncated_svd import TruncatedSVD

    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    honest = TruncatedSVD.predict
    monkeypatch.setattr(TruncatedSVD, "predict", lambda self, users, items: honest(self, users, items) + 0.25)
    _, err = inspect(folder, "svd", "--only", "spread")
    assert "this model of svd on movietweetings-sample holdout is not the one in" in err
    assert "predicted ratings differ by up to 0.25" in err


@pytest.fixture(scope="module")
def saved(tmp_path_factory, call_cfbench) -> Path:
    """A run that kept its model."""
    place = tmp_path_factory.mktemp("saved")
    options = ("-d", "movietweetings-sample", "-m", "svd", "--metric", "RMSE", "--save-models", "-o", "run")
    call_cfbench(place, "run", *options)
    return place / "run"


def test_a_saved_model_is_loaded_and_shows_what_a_refit_shows(inspect, saved, refitted, tmp_path):
    _, err = inspect(saved, "-o", str(tmp_path), "--min-ratings", "3")
    assert "fitting" not in err
    assert "is not the one in" not in err
    for path in refitted.glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_saved_model_that_was_tampered_with_is_refused(inspect, saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "run"))
    (arrays,) = folder.glob("models/*/saved/*.npz")
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    assert "it is refused: the same `cfbench run` with --save-models" in inspect(folder, code=1)[1]


def test_what_can_be_refused_at_once_is_refused_before_the_model_is_fitted(inspect, finished):
    for arguments in (("--only", "nearst"), ("--without-active", "2"), ("--near", "No Film of this Name")):
        assert "fitting" not in inspect(finished, "svd", *arguments, code=2)[1]
