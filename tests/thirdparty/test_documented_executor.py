"""The executor that docs/executors.md prints, registered by a distribution of its own, runs a suite like the core's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "executors.md").read_text()


def printed(language: str, section: str = "Writing one") -> str:
    section = PAGE.partition(f"\n## {section}\n")[2]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL).group(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Where the printed class and entry point are installed."""
    home = tmp_path_factory.mktemp("site")
    (home / "my_executors.py").write_text(printed("python"))
    info = home / "my_executors-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-executors\nVersion: 0.1\n")
    name, value = re.search(r'([\w-]+) = "([\w.:]+)"', printed("toml")).groups()
    (info / "entry_points.txt").write_text(f"[cfbench.executors]\n{name} = {value}\n")
    return home


def execute(source: str, module: ModuleType) -> None:
    exec(compile(source, f"docs/executors.md, {module.__name__}", "exec"), module.__dict__)


def documented_test():
    """The printed contract test, of the printed executor."""
    with pytest.MonkeyPatch.context() as patch:
        executors, test = ModuleType("my_executors"), ModuleType("documented_contract_test")
        patch.setitem(sys.modules, "my_executors", executors)  # where dataclasses look for the module of a class
        execute(printed("python"), executors)
        execute(printed("python", "The contract test"), test)
        return test.test_contract


CONTRACT = documented_test()


def run_in(folder: Path, home: Path, *arguments: str) -> list[dict]:
    data = ("-d", "synthetic[n_items=40,n_ratings=600,n_users=50]", "--metric", "RMSE,NDCG@5")
    command = (sys.executable, "-m", "cfbench", "run", *data, "-m", "svd,bias,popular", "-o", "run", *arguments)
    environ = {**os.environ, "PYTHONPATH": str(home), "PYTHONWARNINGS": "error"}
    folder.mkdir()
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (folder / "run" / "records.jsonl").read_text().splitlines()]
    return [{"order": done.stderr, **line} for line in lines if "status" in line]


def test_the_printed_executor_gives_the_figures_of_the_default_one(tmp_path, home):
    expected = run_in(tmp_path / "default", home)
    found = run_in(tmp_path / "printed", home, "--executor", "by-home[backwards=true]")
    assert len(found) == 3
    assert [record["metrics"] for record in found] == [record["metrics"] for record in expected]
    order = found[0]["order"]
    assert order.index("svd on") < order.index("bias on")


@pytest.mark.parametrize("check", CONTRACT.pytestmark[0].args[1], ids=str)
def test_the_printed_executor_passes_the_printed_contract_test(check, tmp_path):
    CONTRACT(check, tmp_path)
