"""A results folder from a stranger, hostile wherever it can be: opened, reported, rescored, inspected, resumed."""

from __future__ import annotations

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cfbench.cli import main
from cfbench.records.record import MissingMetric, Record, SanityWarning
from cfbench.records.store import RunFolder, read_lines

pytest.importorskip("cfbench_scipy", reason="looks into models of the plugin cfbench-scipy")

NAME = '=cmd()|<script>alert(1)</script>`x`*$x^2$&lt;"../../x\x9b2J\x1bc\u202e'
TEXT = f"{NAME}![a](javascript:1)\n# heading\x1b[31m\x1b]0;title\x07\x9b2J[red]\u202ekcab\r\u2028{{0.__class__}}"
TITLES = ("=1+1", "<script>alert(2)</script>", "a|b`c`", "[bold]x[/bold]", "\u202erotated", "\x1b[31mred", "$\\frac$")
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
EVIL = "raise SystemExit('imported')\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_ratings, call_cfbench) -> Path:
    """A run with saved models on items with hostile titles; the data are at hand, in the same folder."""
    place = tmp_path_factory.mktemp("stranger")
    write_ratings(place / "ratings.csv")
    with (place / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "genres"])
        rows.writerows([f"i{number}", f"{TITLES[number % 7]} {number}", TITLES[number % 5]] for number in range(30))
    data = ("-d", f"{place}/ratings.csv[items={place}/items.csv]")
    call_cfbench(
        place, "run", *data, "-m", "svd[n_factors=3],bias", "--metric", "RMSE,NDCG@10,cold-users", "-o", "run",
        "--save-models",
    )  # fmt: skip
    return place


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    """The same run with hostile text and links wherever the store's format has room for them, and sealed as ours."""
    place = Path(shutil.copytree(finished / "run", tmp_path / "run"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious")
    for name in ("table.md", "metrics.csv"):
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(outside / "victim")
    shutil.rmtree(place / "logs", ignore_errors=True)
    for name in ("logs", "inspect"):
        (place / name).symlink_to(outside, target_is_directory=True)
    (tmp_path / "evil_models.py").write_text(EVIL)
    forge(place)
    return place


def forge(place: Path) -> None:
    run = RunFolder(place)
    suite = json.loads(run.suite_path.read_text())
    lines = list(read_lines(run.records_path))
    for record in [line for line in lines if isinstance(line, Record)]:
        hostile = replace(
            record,
            cell=replace(record.cell, model=NAME, distribution=TEXT, version=TEXT, params={"a": TEXT}),
            warnings=(SanityWarning(TEXT, TEXT),),
            provenance={**record.provenance, TEXT: TEXT, "finished": "9"},
            missing={TEXT: MissingMetric("failed", TEXT)},
        )
        run.save(hostile, run.load(record.cell)[1])
        failed = replace(hostile, cell=replace(hostile.cell, model="evil_models:Evil"), status="failed", reason=TEXT)
        run.save(failed, None)
        lines += [hostile, failed]
    suite["models"] = [*suite["models"], NAME, "evil_models:Evil"]
    suite["description"] = TEXT
    run.save_suite(json.dumps(suite))
    run.write_lines([hostile_line(line) for line in lines])


def hostile_line(line: object) -> object:
    """Put hostile text into the lines that tables are rendered from, wherever text may stand."""
    texts = {
        "conditions": {"licence": TEXT, "citation": TEXT, "scale": TEXT, "cfbench": TEXT, "preprocessing": (TEXT,)},
        "summary": {"distribution": TEXT, "version": TEXT, "reason": TEXT, "warnings": (SanityWarning(TEXT, TEXT),)},
        "definition": {},
    }[line.kind] if line.kind in ("conditions", "summary", "definition") else {}  # fmt: skip
    line = replace(line, **texts)
    if line.kind == "definition":
        return replace(line, contract={**line.contract, "title": TEXT, "source": TEXT, "formula": TEXT})
    if line.kind == "summary" and line.model == "bias":
        return replace(line, model=TEXT, finished=0)
    return line


@pytest.fixture
def call(capfd, monkeypatch, tmp_path) -> Callable[..., tuple[str, str]]:
    """Run the command line where the stranger's module could be imported; what comes out must be harmless."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capfd.readouterr()
        assert left.value.code == code, said.err + said.out
        assert not OBEYED.search(said.out + said.err)
        assert "Traceback" not in said.err
        assert (tmp_path / "outside" / "victim").read_text() == "precious"
        assert [path.name for path in (tmp_path / "outside").iterdir()] == ["victim"]
        assert {path.name for path in tmp_path.iterdir()} <= {"run", "outside", "evil_models.py", "runs"}
        return said.out, said.err

    return run


def require_inert(place: Path) -> None:
    """Assert of every page, picture and table in ``place`` that nothing in it is obeyed."""
    pages = list(place.glob("*.md"))
    assert pages
    for page in pages:
        text = page.read_text()
        assert not OBEYED.search(text)
        assert "<script" not in text
        assert not re.search(r"(?<!\\)\]\(javascript", text)
        assert not re.search(r"^# heading", text, re.MULTILINE)
        assert not page.is_symlink()
    for picture in place.glob("*.svg"):
        names = {node.tag.rpartition("}")[2] for node in ET.parse(picture).iter()}
        assert not names & {"script", "foreignObject", "a"}
        assert not OBEYED.search(picture.read_text())
    for table in place.glob("*.csv"):
        assert not table.is_symlink()
        with table.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not any(OBEYED.search(cell) for cell in cells)
        formulas = [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))]
        assert all(re.fullmatch(r"[+-][\d.]+(e[+-]?\d+)?", cell) for cell in formulas)


def test_reporting_shows_hostile_text_and_obeys_none(call, folder):
    out, err = call("report", str(folder))
    assert "alert(1)" in out
    assert "[red]" in out
    assert "wrote" in err
    require_inert(folder)
    assert "&lt;script&gt;" in (folder / "table.md").read_text()


def test_rescoring_needs_no_module_that_the_folder_names(call, folder):
    out, err = call("rescore", str(folder), "--metric", "NDCG@5", code=1)  # the failed cells stay failures
    assert "evil_models:Evil" in err
    assert "imported" not in out + err
    require_inert(folder)
    records = [line for line in read_lines(folder / "records.jsonl") if isinstance(line, Record)]
    figures = {record.cell.model: record.metrics for record in records if record.status == "ok"}
    assert figures[NAME] in (figures["bias"], figures["svd[n_factors=3]"])


def test_a_model_that_is_not_installed_is_not_looked_for_as_a_module(call, folder):
    for model in (NAME, "evil_models:Evil"):
        _, err = call("inspect", str(folder), model, code=2)
        assert "unknown model" in err or "is no finished" in err or "unknown cell" in err


def test_inspecting_does_not_write_through_links_that_lead_out(call, folder):
    _, err = call("inspect", str(folder), "svd", code=1)
    assert "leads out of" in err
    (folder / "inspect").unlink()
    out, _ = call("inspect", str(folder), "svd", "--format", "svg", "--min-ratings", "3")
    assert "alert(2)" in out
    (place,) = (folder / "inspect").iterdir()
    require_inert(place)


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_recommending_shows_hostile_titles_and_obeys_none(call, folder, form):
    out, _ = call("recommend", str(folder), "svd", "--user", "u1", "-n", "30", "--include-seen", "--format", form)
    if form == "json":
        assert "\u202erotated 4" in [row["title"] for row in json.loads(out)["recommendations"]]
    if form == "csv":
        assert {row["title"][0] for row in csv.DictReader(out.splitlines())} & set("=+-@") == set()


def test_a_saved_model_of_another_class_is_refused(call, folder):
    for note in (folder / "models").glob("*/model.json"):
        told = json.loads(note.read_text())
        note.write_text(json.dumps({**told, "entry_point": "evil_models:Evil"}))
    _, err = call("recommend", str(folder), "svd", "--user", "u1", code=1)
    assert "is about another model" in err


@pytest.mark.parametrize(("name", "code"), [("cells", 1), ("logs", 1), ("models", 0)])
def test_a_folder_that_leads_out_is_not_written_through(call, folder, finished, tmp_path, name, code):
    (folder / "logs").unlink()
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).symlink_to(tmp_path / "outside", target_is_directory=True)
    data = f"{finished}/ratings.csv[items={finished}/items.csv]"
    _, err = call("run", "-d", data, "-m", "bias", "-o", str(folder), "--save-models", code=code)
    assert f"{folder / name} is a link that leads out of" in err


def test_answers_that_cannot_be_measured_are_refused_or_computed_again(call, folder, finished):
    run = RunFolder(folder)
    record = next(
        line for line in read_lines(folder / "records.jsonl") if line.kind == "record" and line.cell.model == "bias"
    )
    _, answers = run.load(record.cell)
    run.save(record, replace(answers, predictions=answers.predictions[:-1]))  # sealed, and still not answers
    (folder / "logs").unlink()
    for command in (("inspect", str(folder), "bias"), ("rescore", str(folder))):
        _, err = call(*command, code=1)
        assert "predictions have shape (139,), expected pairs = (140,)" in err
    data = f"{finished}/ratings.csv[items={finished}/items.csv]"
    _, err = call("run", "-d", data, "-m", "bias", "--metric", "RMSE", "-o", str(folder))
    assert "predictions have shape (139,), expected pairs = (140,); computing the cell again" in err


def test_running_again_in_the_folder_computes_what_was_tampered_with(call, folder, finished):
    run = RunFolder(folder)
    (record, *_) = [line for line in read_lines(finished / "run" / "records.jsonl") if line.kind == "record"]
    path = folder / "cells" / f"{record.cell.key}.json"
    path.write_text(path.read_text().replace('"value": ', '"value": 0'))
    (folder / "logs").unlink()
    data = f"{finished}/ratings.csv[items={finished}/items.csv]"
    models = ("-m", "svd[n_factors=3],bias", "--metric", "RMSE,NDCG@10,cold-users")
    _, err = call("run", "-d", data, *models, "-o", str(folder))
    assert err.count("computing the cell again") == 1
    assert run.load(record.cell)[0].metrics == record.metrics
    assert "1 cell computed" in err
