"""Small data with times, misbehaving models, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cfbench.cli import main

COMMAND = (sys.executable, "-m", "cfbench")


@pytest.fixture(scope="session")
def write_ratings() -> Callable[..., Path]:
    """Write a CSV file of ratings of 1 to 5 with times: users and items differ in how much they give and get."""

    def write(path: Path, seed: int = 0, n_users: int = 50, n_items: int = 30, n_ratings: int = 700) -> Path:
        rng = np.random.default_rng(seed)
        pairs = rng.permutation(n_users * n_items)[:n_ratings]
        users, items = np.divmod(pairs, n_items)
        generous, good = rng.normal(0, 0.7, n_users), rng.normal(0, 0.9, n_items)
        ratings = np.clip(np.rint(3.2 + generous[users] + good[items] + rng.normal(0, 0.5, n_ratings)), 1, 5)
        times = 1_000_000_000 + 60 * rng.permutation(n_ratings)
        columns = zip(users, items, ratings, times, strict=True)
        lines = [f"u{user},i{item},{rating:g},{time}" for user, item, rating, time in columns]
        path.write_text("\n".join(["user_id,item_id,rating,timestamp", *lines, ""]))
        return path

    return write


@pytest.fixture(scope="session")
def call_cfbench() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in folder ``cwd``, with the plugins in ``home`` on the path, and check its exit code."""

    def call(cwd: Path, *arguments: str, home: Path | None = None, code: int = 0, command=COMMAND):
        path = {} if home is None else {"PYTHONPATH": str(home)}
        environ = {**os.environ, "PYTHONWARNINGS": "error", **path}
        done = subprocess.run(
            [*command, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return call


@pytest.fixture
def refused(capsys, monkeypatch, plugin_home) -> Callable[..., str]:
    """Run the command line in this process, for what ends before anything is computed; return standard error."""

    def call(cwd: Path, *arguments: str, home: Path = plugin_home, code: int = 2) -> str:
        monkeypatch.chdir(cwd)
        monkeypatch.syspath_prepend(str(home))
        with pytest.raises(SystemExit) as left:
            main(arguments)
        said = capsys.readouterr().err
        assert left.value.code == code, said
        assert "Traceback" not in said
        return said

    return call


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory) -> Path:
    """A folder on the path with an installed distribution that registers every class of ``hostile.py``."""
    home = tmp_path_factory.mktemp("site")
    source = (Path(__file__).parent / "hostile.py").read_text()
    (home / "hostile_models.py").write_text(source)
    info = home / "hostile_models-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-models\nVersion: 1.2\n")
    others = {"Division": "metrics", "Nameless": "metrics", "Twins": "splitters", "Stumbles": "splitters"}
    groups: dict[str, list[str]] = {"models": ["absent = hostile_models:Absent", "gone = no_such_module:Model"]}
    for name in re.findall(r"^class (\w+)", source, re.MULTILINE):
        groups.setdefault(others.get(name, "models"), []).append(f"{name.lower()} = hostile_models:{name}")
    texts = (f"[cfbench.{group}]\n" + "\n".join(entries) + "\n" for group, entries in groups.items())
    (info / "entry_points.txt").write_text("".join(texts))
    return home


@pytest.fixture
def environment(plugin_home) -> dict[str, str]:
    """Surroundings in which the misbehaving models are installed."""
    return {**os.environ, "PYTHONPATH": str(plugin_home), "PYTHONWARNINGS": "error"}


@pytest.fixture
def cfbench(tmp_path, environment):
    """Run the command line in a folder of its own, in a process of its own, beside the misbehaving models."""

    def call(*arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr + done.stdout
        return done

    return call


def _lines(folder: Path, kind: str) -> list[dict]:
    return [
        line for line in map(json.loads, (folder / "records.jsonl").read_text().splitlines()) if line["kind"] == kind
    ]


@pytest.fixture(scope="session")
def records() -> Callable[[Path], dict[str, dict]]:
    """Return the records of a run's folder by model."""
    return lambda folder: {line["cell"]["model"]: line for line in _lines(folder, "record")}


@pytest.fixture(scope="session")
def results() -> Callable[[Path], dict]:
    """Return what must not depend on when and how cells were run: all figures but those of cost, by cell."""

    def read(folder: Path) -> dict:
        cost = {line["metric"] for line in _lines(folder, "definition") if line["contract"]["family"] == "cost"}
        return {
            (line["cell"]["model"], line["cell"]["fold"]): (
                {name: one for name, one in line["metrics"].items() if name not in cost},
                line["tables"],
                line["status"],
            )
            for line in _lines(folder, "record")
        }

    return read
