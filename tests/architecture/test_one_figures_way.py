"""A figure is followed from its metric to its table: the files that see it are those that the design names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("trace_figure.py")
DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
DATA = "synthetic[n_items=60,n_ratings=2000,n_users=90]"
MOST = 12
"""Files between a metric and its line in a table."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> tuple[Path, str, set[str]]:
    """The folder of a small run, the first RMSE in it as tables write it, and the files that saw it."""
    folder = tmp_path_factory.mktemp("run")
    options = ["-m", "user-mean,global-mean", "-d", DATA, "-s", "holdout", "--metric", "RMSE", "--in-process"]
    command = [sys.executable, str(SCRIPT), "run", *options, "--output", "out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["text"] in done.stdout
    return folder / "out", told["text"], set(told["files"])


@pytest.fixture(scope="module")
def section() -> str:
    return DESIGN.read_text().partition("## One figure's way\n")[2].partition("\n## ")[0]


def test_the_figure_that_is_followed_reaches_the_table(seen):
    folder, text, _ = seen
    assert text in (folder / "table.md").read_text()


def test_the_files_that_see_a_figure_are_those_that_the_design_names(seen, section):
    assert seen[2] == set(re.findall(r"`(cfbench/[a-z_/]+\.py)`", section))


def test_the_way_of_a_figure_is_short(section):
    assert len(re.findall(r"^\d+\. `cfbench/", section, re.MULTILINE)) <= MOST
