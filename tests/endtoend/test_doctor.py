"""`cfbench doctor`, end to end."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest


@pytest.fixture(autouse=True)
def joblib_does_not_warn(monkeypatch):
    """Keep joblib, which Surprise imports, from its warning that semaphores cannot be made: no cell can make any."""
    monkeypatch.setenv("JOBLIB_MULTIPROCESSING", "0")


@pytest.fixture(scope="module")
def sick_home(tmp_path_factory):
    """A folder on the path with a distribution whose model ends the process that imports it."""
    home = tmp_path_factory.mktemp("sick")
    (home / "sick_models.py").write_text(
        "import os\nif 'cfbench.doctor.confined_import' in __import__('sys').orig_argv:\n    os._exit(5)\n"
        "class Model:\n    '''Ends its process.'''\n    def fit(self, train, context): ...\n"
    )
    info = home / "sick_models-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sick-models\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[cfbench.models]\nsick = sick_models:Model\ngone = sick_models:Gone\n")
    return home


def test_a_sound_installation_is_told_as_a_table_and_exits_with_0(call_cfbench, tmp_path, monkeypatch):
    monkeypatch.delenv("CFBENCH_DATA", raising=False)
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "cache"))
    done = call_cfbench(tmp_path, "doctor", "--time-limit", "200")
    assert f"cfbench-baselines {version('cfbench-baselines')}: 7 models, imported in" in done.stdout
    assert "PROBLEM" not in done.stdout
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*")}
    assert left <= {"cache/digests"}, "digests are remembered where much was read for them"


def test_problems_are_told_with_their_remedies_and_exit_with_1(call_cfbench, tmp_path, monkeypatch, sick_home):
    monkeypatch.setenv("CFBENCH_DATA", str(tmp_path / "nowhere"))
    done = call_cfbench(tmp_path, "doctor", "--json", "--time-limit", "200", home=sick_home, code=1)
    told = json.loads(done.stdout)
    problems = {one["text"]: one["remedy"] for one in told["findings"] if one["level"] == "problem"}
    assert told["problems"] == len(problems) == 3
    assert all(problems.values())
    text = "\n".join(problems)
    assert "importing model 'sick' ended with exit code 5" in text
    assert "model 'gone' of sick-models 0.3: module 'sick_models' defines no class 'Gone'" in text
    assert "nowhere, named for data, is not a folder" in text


def test_a_time_limit_must_be_above_0(call_cfbench, tmp_path):
    assert "--time-limit must be above 0" in call_cfbench(tmp_path, "doctor", "--time-limit", "0", code=2).stderr
