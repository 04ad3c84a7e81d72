"""`cfbench rescore`, end to end: figures from raw answers, without the models that gave them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cfbench.cli import main
from cfbench.records.cell import Cell
from cfbench.records.store import RunFolder

HERE = Path(__file__).parent
MODELS = "honest,bias,popular,raises"


def install(home: Path, version: str) -> Path:
    """Put a distribution into ``home`` that registers some of the hostile plugins."""
    (home / "leaving_models.py").write_text((HERE / "hostile.py").read_text())
    info = home / f"leaving_models-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: leaving-models\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        "[cfbench.models]\nhonest = leaving_models:Honest\nraises = leaving_models:Raises\n"
        "[cfbench.metrics]\ndivision = leaving_models:Division\n"
    )
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Where the models' plugin is installed while a run runs; rescoring, in this process, does not see it."""
    return install(tmp_path_factory.mktemp("site"), "1.2")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, home, write_ratings, call_cfbench) -> Path:
    """A folder with ``small``, a plain run, and ``wide``: preprocessed, with folds, repeats and a curve."""
    place = tmp_path_factory.mktemp("finished")
    data = str(write_ratings(place / "ratings.csv"))
    common = ("run", "-d", data, "--metric", "RMSE,NDCG@5,cold-users")
    call_cfbench(place, *common, "-m", MODELS, "-o", "small", home=home, code=1)
    wide = ("-p", "k-core[k=3]", "-s", "kfold[k=2]", "-s", "cold-users[given=[0,2]]", "--repeats", "2", "-o", "wide")
    call_cfbench(place, *common, "-m", "honest,bias", *wide, home=home)
    return place


@pytest.fixture
def small(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished / "small", tmp_path / "small"))


@pytest.fixture
def wide(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished / "wide", tmp_path / "wide"))


@pytest.fixture
def rescore(capsys):
    """Rescore in this process, which has never seen the plugin of the run, and return what was said."""

    def call(folder: Path, *arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            main(["rescore", str(folder), *arguments])
        said = capsys.readouterr().err
        assert left.value.code == code, said
        return said

    return call


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run, its cells included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lines(folder: Path, kind: str) -> list[dict]:
    found = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    return [line for line in found if line["kind"] == kind]


def by_model(folder: Path, kind: str = "record") -> dict[str, dict]:
    return {(line["cell"] if kind == "record" else line)["model"]: line for line in lines(folder, kind)}


def cell_file(folder: Path, model: str, suffix: str) -> Path:
    """The file of the one cell of ``model``."""
    (found,) = [
        path
        for path in (folder / "cells").glob("*.json")
        if json.loads(path.read_bytes())["record"]["cell"]["model"] == model
    ]
    return found.with_suffix(suffix)


def test_with_nothing_changed_every_file_is_the_same_byte_for_byte(rescore, small):
    before = content(small)
    rescore(small, code=1)
    assert content(small) == before


def test_folds_repeats_curves_and_preprocessing_are_those_of_the_run(rescore, wide):
    before = content(wide)
    rescore(wide)
    assert content(wide) == before
    assert [(line["folds"], line["repeats"], line["n_given"]) for line in lines(wide, "conditions")] == [
        (2, 2, None),
        (1, 2, 0),
        (1, 2, 2),
    ]
    assert "after k-core" in lines(wide, "conditions")[0]["dataset"]


def test_a_further_metric_stands_beside_the_old_ones_with_its_interval(rescore, small):
    before = by_model(small, "summary")
    rescore(small, "--metric", "NDCG@3,MRR@10", code=1)
    after = by_model(small, "summary")
    assert set(after["honest"]["metrics"]) == {"RMSE", "NDCG@5", "NDCG@3", "MRR@10"}
    assert after["honest"]["metrics"].items() >= before["honest"]["metrics"].items()
    assert after["honest"]["tables"] == before["honest"]["tables"]
    figure = after["popular"]["metrics"]["MRR@10"]
    assert figure["low"] < figure["value"] < figure["high"]
    assert {line["metric"] for line in lines(small, "comparison")} >= {"NDCG@3", "MRR@10"}
    table = (small / "table.md").read_text()
    assert "**MRR@10**: mean\\_u 1 / min" in table
    assert f"{figure['value']:.4f}" in table


def test_a_further_metric_enters_curves_and_spreads(rescore, wide):
    rescore(wide, "--metric", "MAE")
    assert "### MAE against ratings given back" in (wide / "table.md").read_text()
    assert all("MAE" in line["seed_spread"] for line in lines(wide, "summary") if line["model"] == "honest")


def test_rescoring_twice_writes_the_same_bytes_and_remembers_the_further_metrics(rescore, wide):
    rescore(wide, "--metric", "MAE,diversity[k=5]")
    once = content(wide)
    rescore(wide)
    assert content(wide) == once


def test_raw_answers_and_records_of_cells_are_only_read(rescore, small):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (small / "cells").iterdir()}
    rescore(small, "--metric", "MAE", code=1)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (small / "cells").iterdir()} == before


def test_costs_are_those_of_the_run_and_can_be_measured_later(rescore, small):
    cost = by_model(small)["bias"]["cost"]
    rescore(small, "--metric", "fit-seconds", code=1)
    record = by_model(small)["bias"]
    assert record["cost"] == cost
    assert record["metrics"]["fit-seconds"]["value"] == cost["seconds"]["fit"]


def test_no_model_plugin_is_imported_even_where_it_is_installed(call_cfbench, small, home):
    program = (
        "import sys\nfrom cfbench.cli import main\ntry:\n    main()\nfinally:\n"
        "    assert not {'leaving_models', 'cfbench_baselines', 'torch', 'surprise'} & set(sys.modules)\n"
    )
    command = (sys.executable, "-c", program)
    before = content(small)
    call_cfbench(small, "rescore", ".", home=home, code=1, command=command)
    after = content(small)
    assert after == before


def test_a_failed_cell_stays_failed_with_its_reason(rescore, small):
    said = rescore(small, "--metric", "MAE", code=1)
    assert "failed: raises on" in said
    assert "ZeroDivisionError: on purpose" in by_model(small)["raises"]["reason"]
    assert "ZeroDivisionError: on purpose" in (small / "table.md").read_text()


@pytest.mark.parametrize(
    ("metrics", "complaint"),
    [
        ("NDCG@20", "NDCG@20 needs lists of 20 items, the stored ones hold 10"),
        ("MAE,Gini@11", "Gini@11 needs lists of 11 items"),
        ("NDGC@5", "did you mean 'NDCG'"),
        ("NDCG@five", "whole number"),
        ("NDCG[k=7],NDCG@7", "several metrics call themselves NDCG@7"),
        ("MAE,,RMSE", "expected NAME"),
    ],
)
def test_metrics_that_cannot_be_had_are_refused_before_anything_is_written(rescore, small, metrics, complaint):
    before = content(small)
    assert complaint in rescore(small, "--metric", metrics, code=2)
    assert content(small) == before


def test_a_metric_that_is_there_already_or_asked_for_twice_is_measured_once(rescore, small):
    rescore(small, "--metric", "RMSE,MAE,NDCG[k=5]", "--metric", "MAE", code=1)
    assert [line["metric"] for line in lines(small, "definition")] == ["RMSE", "NDCG@5", "cold-users", "MAE"]


def test_a_cutoff_that_is_not_about_lists_is_not_held_against_them(rescore, small, monkeypatch):
    from cfbench.evaluation.metrics.accuracy import RMSE

    monkeypatch.setattr(RMSE, "k", 99, raising=False)
    rescore(small, code=1)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda folder: (folder / "suite.json").unlink(), "holds no run"),
        (lambda folder: (folder / "suite.json").write_text("{"), "is not valid JSON"),
        (lambda folder: (folder / "suite.json").write_bytes(b"\xff"), "is not valid JSON"),
        (lambda folder: (folder / "suite.json").write_text('{"name": "a", "modls": []}'), "unknown key 'modls'"),
    ],
)
def test_a_folder_that_is_no_run_is_the_users_mistake(rescore, small, make, complaint):
    make(small)
    assert complaint in rescore(small, code=2)


def test_a_suite_without_any_finished_cell_is_told(rescore, small):
    shutil.rmtree(small / "cells")
    (small / "records.jsonl").unlink()
    assert "holds no finished cell of suite" in rescore(small, code=2)


def test_data_that_changed_since_the_run_are_refused(call_cfbench, rescore, tmp_path, write_ratings):
    data = write_ratings(tmp_path / "mine.csv")
    call_cfbench(tmp_path, "run", "-d", str(data), "-m", "bias", "--metric", "RMSE", "-o", "out")
    before = content(tmp_path / "out")
    write_ratings(data, seed=1)
    assert "mine, holdout has other rows now than the run was made on" in rescore(tmp_path / "out", code=2)
    assert content(tmp_path / "out") == before
    data.unlink()
    assert "mine.csv" in rescore(tmp_path / "out", code=2)


DAMAGE = {
    "damaged": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "gone": lambda path: (path.unlink(), path.with_suffix(".json").unlink()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_lost_answers_are_a_failure_in_the_table_and_cost_no_other_cell(rescore, small, how):
    DAMAGE[how](cell_file(small, "bias", ".npz"))
    others = {name: cell_file(small, name, ".npz").read_bytes() for name in ("honest",)}
    said = rescore(small, "--metric", "MAE", code=1)
    assert "failed: bias on ratings holdout: cannot be measured again" in said
    assert "the same `cfbench run` computes it anew" in by_model(small)["bias"]["reason"]
    assert by_model(small)["honest"]["metrics"]["MAE"]["value"] > 0
    assert others == {name: cell_file(small, name, ".npz").read_bytes() for name in others}


def test_where_the_answers_of_all_cells_are_lost_nothing_is_changed(rescore, small):
    for path in (small / "cells").glob("*.npz"):
        path.write_bytes(b"")
    before = content(small)
    said = rescore(small, code=1)
    assert "cells cannot be measured again, the first: " in said
    assert "nothing was changed" in said
    assert content(small) == before


@pytest.mark.parametrize("line", [b"{\n", b"\xff\n", b'{"schema_version": 3, "kind": "record"}\n'])
def test_a_line_that_cannot_be_read_costs_no_other_and_the_report_says_that_it_is_missing(
    call_cfbench, rescore, small, line
):
    before = (small / "records.jsonl").read_bytes()
    (small / "records.jsonl").write_bytes(line + before)
    done = call_cfbench(small, "report", ".", code=1)
    assert "line 1 is not a record" in done.stderr
    assert "Not to be trusted: 1 lines" in done.stdout
    assert "**Not to be trusted: 1 lines of records.jsonl could not be read" in (small / "table.md").read_text()
    assert "honest" in (small / "table.md").read_text()
    assert "line 1 is not a record" in rescore(small, code=1)
    assert (small / "records.jsonl").read_bytes() == before


def test_a_run_that_was_cut_off_is_rescored_from_its_cells(rescore, small, wide):
    for folder, code in ((small, 1), (wide, 0)):
        before = (folder / "records.jsonl").read_bytes()
        (folder / "records.jsonl").unlink()
        rescore(folder, code=code)
        assert (folder / "records.jsonl").read_bytes() == before


def test_a_torn_records_file_is_told_and_written_anew(rescore, small):
    before = (small / "records.jsonl").read_bytes()
    (small / "records.jsonl").write_bytes(before[:-100])
    assert "is not a record" in rescore(small, code=1)
    assert (small / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize("with_lines", [True, False])
def test_cells_that_were_never_run_are_told_as_in_the_run_itself(rescore, wide, with_lines):
    """A model with half of its cells must not pass as complete, nor one without any vanish."""
    text = (wide / "records.jsonl").read_text().splitlines(keepends=True)
    missing = [
        line for line in map(json.loads, text) if line["kind"] == "record" and line["cell"]["model"] == "honest"
    ][1:]
    keys = {json.dumps(line["cell"], sort_keys=True) for line in missing}
    for path in (wide / "cells").glob("*.json"):
        if json.dumps(json.loads(path.read_bytes())["record"]["cell"], sort_keys=True) in keys:
            path.unlink()
    (wide / "records.jsonl").unlink()
    if with_lines:
        kept = [one for one in text if json.dumps(json.loads(one).get("cell", {}), sort_keys=True) not in keys]
        (wide / "records.jsonl").write_text("".join(kept))
    rescore(wide)
    told = [(line["model"], line["finished"], line["cells"]) for line in lines(wide, "summary")]
    assert told == [
        ("honest", 1, 4),
        ("bias", 4, 4),
        ("honest", 0, 2),
        ("bias", 2, 2),
        ("honest", 0, 2),
        ("bias", 2, 2),
    ]
    assert (wide / "table.md").read_text().count("not run: the run was cut off") == 3


def test_a_model_without_any_cell_is_told_by_its_name(rescore, small):
    for suffix in (".npz", ".json"):
        cell_file(small, "raises", ".json").with_suffix(suffix).unlink(missing_ok=True)
    (small / "records.jsonl").unlink()
    rescore(small)
    summary = by_model(small, "summary")["raises"]
    assert (summary["finished"], summary["cells"], summary["reason"]) == (0, 1, "not run: the run was cut off")


def test_of_several_suites_in_one_folder_the_last_is_rescored(call_cfbench, rescore, finished, small):
    data = str(finished / "ratings.csv")
    call_cfbench(small, "run", "-d", data, "-m", "bias,random", "--metric", "MAE", "-o", ".")
    before = content(small)
    rescore(small)
    assert content(small) == before
    (small / "records.jsonl").unlink()
    rescore(small)
    assert content(small) == before
    assert set(by_model(small)) == {"bias", "random"}


def stamp(folder: Path, year_of: Callable[[Cell], int]) -> None:
    """Put cells years apart: the stamps of runs within one second cannot be told apart."""
    run = RunFolder(folder)
    for record in run.all_records(pytest.fail):
        finished = f"{year_of(record.cell)}-01-01T00:00:00+00:00"
        run.save(replace(record, provenance={**record.provenance, "finished": finished}), run.load(record.cell)[1])


def test_of_several_versions_of_a_plugin_the_last_runs_is_measured_or_the_latest_where_it_was_cut_off(
    call_cfbench, rescore, finished, small, home, tmp_path
):
    run = ("run", "-d", str(finished / "ratings.csv"), "-m", "honest", "--metric", "RMSE", "-o", ".")
    call_cfbench(small, *run, home=install(tmp_path, "1.3"))
    stamp(small, lambda cell: 2001 if cell.version == "1.2" else 2002)
    call_cfbench(small, *run, home=home)  # keeps the cell of 1.2
    rescore(small)
    assert by_model(small)["honest"]["cell"]["version"] == "1.2"
    (small / "records.jsonl").unlink()
    rescore(small)
    assert by_model(small)["honest"]["cell"]["version"] == "1.3"


def test_cells_of_another_seed_are_others_though_they_stand_on_the_same_rows(
    call_cfbench, rescore, finished, home, tmp_path
):
    run = ("run", "-d", str(finished / "ratings.csv"), "-s", "temporal", "-m", "honest", "--metric", "RMSE", "-o", ".")
    call_cfbench(tmp_path, *run, "--seed", "1", home=home)
    call_cfbench(tmp_path, *run, home=home)
    stamp(tmp_path, lambda cell: 2001 + cell.base_seed)
    figures = by_model(tmp_path)["honest"]["metrics"]
    (tmp_path / "records.jsonl").unlink()
    rescore(tmp_path)
    assert by_model(tmp_path)["honest"]["metrics"] == figures


def test_a_metric_whose_plugin_is_gone_is_named_and_nothing_is_dropped_on_the_quiet(
    call_cfbench, rescore, finished, small, home
):
    arguments = ("-d", str(finished / "ratings.csv"), "-m", "bias", "--metric", "RMSE,division", "-o", ".")
    call_cfbench(small, "run", *arguments, home=home, code=1)
    before = content(small)
    said = rescore(small, code=2)
    assert "measured by a metric that is not installed: unknown metric 'division'" in said
    assert "Install its plugin again" in said
    assert content(small) == before
    done = call_cfbench(small, "rescore", ".", home=home, code=1)
    assert "metric division failed on bias" in done.stderr
    assert content(small) == before
