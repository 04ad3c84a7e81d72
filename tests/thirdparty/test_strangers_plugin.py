"""A distribution from outside, installed with pip into an environment of its own, is a model like any other."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "cfbench-example"


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


def call(python: Path, cwd: Path, *arguments: str) -> str:
    command = [str(python), "-m", "cfbench", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_listed_with_its_distribution_version_and_capabilities(python, tmp_path):
    (line,) = [line for line in call(python, tmp_path, "list", "models").splitlines() if "midpoint" in line]
    assert "cfbench-example 3.1.4" in line
    assert "rates" in line
    assert "middle of the rating scale" in line


def test_it_runs_and_stands_in_the_table_with_its_distribution_and_version(python, tmp_path):
    data = "synthetic[n_items=60,n_ratings=1500,n_users=80]"
    call(python, tmp_path, "run", "-d", data, "-m", "midpoint,midpoint[shift=0.5],bias", "-o", "out")
    table = (tmp_path / "out" / "table.md").read_text()
    assert "cfbench-example 3.1.4" in table
    assert "midpoint\\[shift=0.5\\]" in table


def test_removing_it_leaves_no_trace_in_the_core(tmp_path):
    assert "midpoint" not in call(Path(sys.executable), tmp_path, "list", "models")
