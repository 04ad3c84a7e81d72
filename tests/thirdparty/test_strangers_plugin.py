"""A distribution from outside, installed with pip into an environment of its own, is a plugin like any other."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from cfbench.data.sources.source import default_storage
from cfbench.data.sources.synthetic import Synthetic

EXAMPLE = Path(__file__).parent / "cfbench-example"
DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80,step=0.5]"
HERE = Path(sys.executable)  # an environment that has never seen the stranger's plugin


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A fresh environment that sees this one's packages, with the stranger's plugin installed by pip."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    interpreter = home / "bin" / "python"
    site = subprocess.run(
        [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    here = sysconfig.get_path("purelib")
    (Path(site) / "parent.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    source = tmp_path_factory.mktemp("source") / "cfbench-example"
    source.mkdir()
    for path in EXAMPLE.iterdir():
        if path.is_file():
            (source / path.name).write_bytes(path.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps",
         "--no-build-isolation", "--no-index", str(source)],
        check=True,
    )  # fmt: skip
    return interpreter


def call(python: Path, cwd: Path, *arguments: str, code: int = 0) -> str:
    """Run the command line; return its output, or, of a failure, what it complained about."""
    command = [str(python), "-m", "cfbench", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def strange(python, tmp_path_factory) -> Path:
    """A run of nothing but the stranger's plugins, beside one model of ours."""
    place = tmp_path_factory.mktemp("strange")
    (place / "strange.toml").write_text(
        f'datasets = ["{DATA}"]\npreprocess = ["whole-stars"]\nsplits = ["every-nth[n=4]"]\n'
        'models = ["midpoint", {name = "midpoint", shift = 0.5}, "bias"]\n'
        'metrics = ["RMSE", {name = "within", stars = 0.5}]\n'
    )
    call(python, place, "run", "strange.toml", "-o", "strange")
    return place / "strange"


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory) -> Path:
    """A run that was made, without the stranger, in this environment."""
    place = tmp_path_factory.mktemp("ordinary")
    call(HERE, place, "run", "-d", DATA, "-m", "bias,item-mean", "--metric", "RMSE,NDCG@5", "-o", "ordinary")
    return place / "ordinary"


def lines(folder: Path, kind: str) -> list[dict]:
    found = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    return [line for line in found if line["kind"] == kind]


def test_its_model_is_listed_with_its_distribution_version_and_capabilities(python, tmp_path):
    (line,) = [line for line in call(python, tmp_path, "list", "models").splitlines() if "midpoint" in line]
    assert "cfbench-example 3.1.4" in line
    assert "predicts" in line
    assert "middle of the rating scale" in line


def test_its_metric_is_listed_with_its_whole_definition_among_its_family(python, tmp_path):
    listing = call(python, tmp_path, "list", "metrics", "--long")
    family = listing.partition("metrics: accuracy")[2].partition("metrics: ranking")[0]
    stated = " ".join(family.partition("within  cfbench-example 3.1.4")[2].split())
    assert stated.startswith("Share of test rows whose predicted rating is at most some stars off")
    assert "|{(u,i): |p_ui - r_ui| <= stars}| / m, m test rows" in stated
    assert "the manual of cfbench-example" in stated
    assert "stars: float = 1.0" in stated


@pytest.mark.parametrize(("kind", "name"), [("splitters", "every-nth"), ("preprocessors", "whole-stars")])
def test_its_splitter_and_its_preprocessor_are_listed(python, tmp_path, kind, name):
    (line,) = [line for line in call(python, tmp_path, "list", kind).splitlines() if name in line]
    assert "cfbench-example 3.1.4" in line


def test_its_model_stands_in_the_table_with_its_distribution_and_version(strange):
    table = (strange / "table.md").read_text()
    assert "cfbench-example 3.1.4" in table
    assert "midpoint\\[shift=0.5\\]" in table


def test_its_splitter_and_preprocessor_make_the_rows_that_they_promise(strange):
    (setting,) = lines(strange, "conditions")
    assert (setting["dataset"], setting["split"]) == (f"{DATA} after whole-stars", "every-nth[n=4]")
    assert (setting["counts"]["train_rows"], setting["counts"]["test_rows"]) == (1125, 375)
    assert setting["preprocessing"][0].startswith("whole-stars left 1,500 ratings of 80 users")


def test_its_metric_has_an_interval_a_place_in_the_tables_and_a_definition(strange):
    (bias,) = [line for line in lines(strange, "summary") if line["model"] == "bias"]
    figure = bias["metrics"]["within-0.5"]
    assert 0 < figure["low"] < figure["value"] < figure["high"] < 1
    table = (strange / "table.md").read_text()
    accuracy = table.partition("### Accuracy")[2].partition("\n###")[0].replace("\\", "")
    assert f"[{figure['low']:.1%}, {figure['high']:.1%}]" in accuracy
    assert "- **within-0.5**: |{(u,i): " in table.replace("\\", "")


def test_its_metric_compares_models(strange):
    with (strange / "comparisons.csv").open(newline="") as file:
        compared = {row["model"]: row for row in csv.DictReader(file) if row["metric"] == "within-0.5"}
    assert set(compared) == {"midpoint", "bias"}
    assert {row["best"] for row in compared.values()} == {"midpoint[shift=0.5]"}
    assert all(float(row["low"]) < float(row["difference"]) < float(row["high"]) for row in compared.values())
    assert float(compared["midpoint"]["difference"]) < 0  # higher is better, says its contract


def test_its_metric_says_what_counting_by_hand_says(strange):
    """The midpoint, 3, is within half a star of a whole rating where that is 3; 3.5 where it is 3 or 4."""
    data = Synthetic(n_items=60, n_ratings=1500, n_users=80, step=0.5).load(default_storage())
    tested = np.floor(data.ratings[3::4] + 0.5)
    records = {line["cell"]["model"]: line["metrics"]["within-0.5"]["value"] for line in lines(strange, "record")}
    assert records["midpoint"] == pytest.approx((tested == 3).mean())
    assert records["midpoint[shift=0.5]"] == pytest.approx(np.isin(tested, (3, 4)).mean())


def test_a_run_that_was_made_without_it_is_rescored_by_its_metric(python, ordinary, tmp_path):
    folder = Path(shutil.copytree(ordinary, tmp_path / "ordinary"))
    before = {line["cell"]["model"]: line["metrics"] for line in lines(folder, "record")}
    call(python, folder, "rescore", ".", "--metric", "within,within[stars=0.25]")
    call(python, folder, "rescore", ".")  # remembers how the metrics were asked for, whatever they call themselves
    for summary in lines(folder, "summary"):
        assert summary["metrics"]["within-1"]["low"] < summary["metrics"]["within-1"]["high"]
        assert summary["metrics"]["within-0.25"]["value"] < summary["metrics"]["within-1"]["value"]
    after = {line["cell"]["model"]: line["metrics"] for line in lines(folder, "record")}
    assert all(after[model].items() >= metrics.items() for model, metrics in before.items())
    assert "within-0.25" in (folder / "table.md").read_text()


def test_what_it_refuses_is_told_in_its_own_words(python, tmp_path):
    run = ("run", "-d", DATA, "-m", "midpoint", "-o", "out")
    told = call(python, tmp_path, *run, "--metric", "within[stars=-1]", code=2)
    assert "metric within[stars=-1]: stars=-1: expected a distance of at least 0" in told
    assert "every-nth: 'synthetic' has no 2000 ratings" in call(
        python, tmp_path, *run, "-s", "every-nth[n=2000]", code=2
    )


@pytest.mark.parametrize("kind", ["models", "metrics", "splitters", "preprocessors"])
def test_removing_it_leaves_no_trace_in_the_core(tmp_path, kind):
    listing = call(HERE, tmp_path, "list", kind)
    assert not re.search("midpoint|within  |every-nth|whole-stars|cfbench-example", listing)


def test_without_it_its_run_is_still_reported_and_rescoring_says_what_is_missing(strange, tmp_path):
    folder = Path(shutil.copytree(strange, tmp_path / "strange"))
    tables = (folder / "table.md").read_bytes()
    call(HERE, folder, "report", ".")
    assert (folder / "table.md").read_bytes() == tables
    assert "unknown metric 'within'" in call(HERE, folder, "rescore", ".", code=2)
