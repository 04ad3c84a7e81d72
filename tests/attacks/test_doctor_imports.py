"""`cfbench doctor` imports plugins confined: they read and write nothing of the user's, and leave nothing running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from cfbench.execution.sandbox import PROTECTIONS, protections

NOTES = [Path(folder, "import_note.txt") for folder in ("/tmp", "/dev/shm", "/var/tmp")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is confined")
def test_imports_by_doctor_reach_nothing_and_leave_nothing(make_environment, marked, tmp_path):
    place, mark = make_environment(), uuid.uuid4().hex
    place.install_attack("importnotes")
    place.install_attack("honest")
    (place.home / "weights.txt").write_text("secret")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    attacked = {"ATTACKED_HOME": str(place.home), "ATTACKED_TMPDIR": str(temporary), "CFBENCH_MARK": mark}
    environ = {**os.environ, **attacked, "HOME": str(place.home), "TMPDIR": str(temporary)}
    before = [note.exists() for note in NOTES]
    done = subprocess.run(
        [place.python, "-m", "cfbench", "doctor", "--json", "--time-limit", "120"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    findings = json.loads(done.stdout)["findings"]
    told = {one["text"].split()[0]: one for one in findings if one["topic"] == "plugins"}
    assert told["attack-honest"]["level"] == told["cfbench-baselines"]["level"] == "ok", done.stdout
    assert marked(mark) == []
    assert [*temporary.iterdir()] == []
    assert "forged" not in done.stdout
    if set(PROTECTIONS) <= set(protections(network=False)):
        assert told["attack-importnotes"]["level"] == "ok", told["attack-importnotes"]["text"]
        assert {path.name for path in place.home.iterdir()} <= {"weights.txt", ".cache"}
        assert [note.exists() for note in NOTES] == before
        assert {path.name for path in tmp_path.iterdir()} == {"temporary"}
