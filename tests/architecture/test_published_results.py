"""Published tables say what their records say, and README shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cfbench.experiment.suite import Suite
from cfbench.records.store import read_lines
from cfbench.registry.registry import shipped_suites
from cfbench.reporting.csv_files import csv_files
from cfbench.reporting.group_tables import result_groups, tables_of
from cfbench.reporting.pictures import pictures
from cfbench.reporting.run_report import markdown_report
from cfbench.reporting.table import markdown_table, section
from cfbench.reporting.verify_table import verdict_csv, verdict_table
from cfbench.results.verification import verify_claims

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted((ROOT / "results").glob("*/records.jsonl"))


def test_the_default_suite_is_published():
    assert ROOT / "results" / "default" / "records.jsonl" in PUBLISHED


@pytest.mark.parametrize("records", PUBLISHED, ids=lambda path: path.parent.name)
def test_tables_are_rendered_from_the_records(records):
    lines = read_lines(records)
    folder = records.parent
    drawn = pictures(lines)
    texts = {"table.md": markdown_report(folder.name, lines, drawn), **csv_files(lines)}
    assert {path.name for path in folder.glob("*.svg")} == {picture.file for picture in drawn}
    assert {name: (folder / name).read_text() for name in texts} == texts


@pytest.mark.parametrize("records", PUBLISHED, ids=lambda path: path.parent.name)
def test_every_model_of_the_published_suite_has_a_finished_record(records):
    suite = Suite.read(records.parent / "suite.toml")
    finished = {line.cell.model for line in read_lines(records) if line.kind == "record" and line.status == "ok"}
    assert finished == set(suite.models)


@pytest.mark.parametrize("records", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_published_suite_is_the_one_that_ships(records):
    published = Suite.read(records.parent / "suite.toml")
    assert published == Suite.read(shipped_suites()[records.parent.name].path)


@pytest.mark.parametrize("records", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_verdicts_are_rendered_from_the_records_and_every_claim_is_met(records):
    verdicts = verify_claims(Suite.read(records.parent / "suite.toml"), read_lines(records))
    page = records.parent / "verify.md"
    assert page.exists() == bool(verdicts)
    assert {verdict.status for verdict in verdicts} <= {"met"}
    if verdicts:
        assert page.read_text() == section(verdict_table(records.parent.name, verdicts), "#") + "\n"
        assert (records.parent / "verify.csv").read_text() == verdict_csv(verdicts)


def test_readme_shows_the_published_overview():
    (group,) = result_groups(read_lines(ROOT / "results" / "default" / "records.jsonl"))
    expected = markdown_table(next(table for table in tables_of(group) if table.title == "Overview"))
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- table: results/default -->\n(.*?)<!-- end of table -->", readme, re.DOTALL)
    assert block is not None
    assert block[1].strip() == expected.strip(), f"put this between the markers in README.md:\n{expected}"
