"""Plugins that crash, hang or fail when they are imported are distinguished from those that do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cfbench.doctor.checks import check_plugins
from cfbench.doctor.import_probe import DoctorOptions, probe_imports
from cfbench.registry.registry import Plugin

SLEEPER = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', __file__])\n"
SOURCES = {
    "fine": "",
    "raises": "raise RuntimeError('on purpose')\n",
    "exits": "import os\nprint('last words', flush=True)\nos._exit(3)\n",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "hangs": f"{SLEEPER}import time\ntime.sleep(600)\n",
    "hoards": "HELD = bytearray(b'1') * (600 << 20)\nimport time\ntime.sleep(600)\n",
    "forks": f"{SLEEPER * 9}import time\ntime.sleep(600)\n",
    "forges": "import os\nfor number in range(3, 99):\n    try:\n        os.write(number, FORGED)\n"
    "    except OSError: pass\n",
    "other_numpy": "raise ImportError('numpy.dtype size changed, may indicate binary incompatibility')\n",
}


@pytest.fixture
def options(tmp_path) -> DoctorOptions:
    return DoctorOptions(tmp_path / "runs", tmp_path, None, tmp_path / "cache", time_limit=120.0)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Make a model plugin of distribution ``plugin-NAME`` whose module does as ``SOURCES`` says."""
    home = tmp_path / "site"
    home.mkdir()
    monkeypatch.syspath_prepend(str(home))
    for name, source in SOURCES.items():
        (home / f"probed_{name}.py").write_text(f"{source}class Model:\n    pass\n")
    return lambda name: Plugin("model", name, f"probed_{name}:Model", f"plugin-{name}", "1.0")


def findings_of(plugins: list[Plugin], options: DoctorOptions):
    (probe,) = probe_imports([plugins], options)
    return list(check_plugins(plugins, [probe]))


def test_a_plugin_that_can_be_imported_is_well(plugin, options):
    (finding,) = findings_of([plugin("fine")], options)
    assert finding.level == "ok"
    assert finding.text.startswith("plugin-fine 1.0: 1 model, imported in ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "model 'raises' cannot be loaded: RuntimeError: on purpose"),
        ("exits", "importing model 'exits' ended with exit code 3; it last printed: last words"),
        ("killed", "importing model 'killed' was killed by SIGSEGV"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_problem_with_a_reason_and_a_remedy(plugin, options, name, said):
    (finding,) = findings_of([plugin(name)], options)
    assert finding.level == "problem"
    assert said in finding.text
    assert finding.remedy


def test_an_import_that_hangs_is_ended_with_all_that_it_started(plugin, options, tmp_path, wait_for):
    hasty = DoctorOptions(options.runs, options.temporary, None, options.cache, time_limit=2.0)
    (finding,) = findings_of([plugin("hangs")], hasty)
    assert "importing model 'hangs' had not ended after 2 s" in finding.text
    wait_for(lambda: not any(str(tmp_path) in command for command in commands()))


def test_an_import_is_held_to_memory_and_number_of_processes(plugin, options, monkeypatch):
    monkeypatch.setattr("cfbench.doctor.import_probe.machine_bytes", lambda: 500 << 20)
    monkeypatch.setattr("cfbench.doctor.import_probe._MAX_PROCESSES", 5)
    hoards, forks = probe_imports([[plugin("hoards")], [plugin("forks")]], options)
    assert "MiB, more than the 450 MiB allowed" in hoards.endings[plugin("hoards")]
    assert "started more than 5 processes" in forks.endings[plugin("forks")]


@pytest.mark.parametrize(
    "forged",
    [
        b"[" * 100_000,
        b'{"seconds": 1e999}',
        b'{"seconds": "x"}',
        b'{"torch": {"version": 1}}',
        b"\xff{}",
        b"null",
        b"7" * 9999,
    ],
)
def test_what_an_import_forges_is_no_result(plugin, options, tmp_path, forged):
    source = (tmp_path / "site" / "probed_forges.py").read_text()
    (tmp_path / "site" / "probed_forges.py").write_text(f"FORGED = {forged + bytes([10])!r}\n{source}")
    (probe,) = probe_imports([[plugin("forges")]], options)
    assert (probe.problems, probe.endings, probe.n_untried, probe.cuda) == ({}, {}, 0, None)


def test_a_forged_text_is_shown_as_text(plugin, options, tmp_path):
    source = (tmp_path / "site" / "probed_forges.py").read_text()
    forged = b'{"seconds": 1, "problem": "\\ud800' + b"x" * 100_000 + b'"}\n'
    (tmp_path / "site" / "probed_forges.py").write_text(f"FORGED = {forged!r}\n{source}")
    (probe,) = probe_imports([[plugin("forges")]], options)
    (problem,) = probe.problems.values()
    assert len(problem.encode()) <= 2000


PROBE = """
from pathlib import Path
from cfbench.doctor.import_probe import DoctorOptions, probe_imports
from cfbench.registry.registry import Plugin
here = Path({!r})
plugin = Plugin("model", "hangs", "probed_hangs:Model", "plugin-hangs", "1.0")
probe_imports([[plugin]], DoctorOptions(here / "runs", here, None, here / "cache", time_limit=300.0))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_an_import_started_ends_with_doctor_however_that_ends(plugin, tmp_path, wait_for, number):
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    with subprocess.Popen([sys.executable, "-c", PROBE.format(str(tmp_path))], env=environ) as process:
        wait_for(lambda: any("time.sleep" in one and str(tmp_path) in one for one in commands()))
        process.send_signal(number)
    wait_for(lambda: not any(str(tmp_path / "site") in one for one in commands()))


def commands() -> list[str]:
    """Return how all living processes were called."""
    return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]


def mixed(*plugins: Plugin) -> list[Plugin]:
    return [Plugin("model", one.name, one.value, "plugin-mixed", "1.0") for one in plugins]


def test_what_stands_before_and_behind_a_crash_is_known_too(plugin, options):
    own = mixed(*map(plugin, ["raises", "exits", "fine", "killed", "other_numpy"]))
    told = [finding.text for finding in findings_of(own, options)]
    assert len(told) == 4
    for model, said in (("'raises'", "on purpose"), ("'exits'", "exit code 3"), ("'killed'", "SIGSEGV")):
        assert sum(model in one and said in one for one in told) == 1
    assert any("other_numpy" in one for one in told)


def test_what_stands_behind_an_import_that_hangs_is_counted(plugin, options):
    hasty = DoctorOptions(options.runs, options.temporary, None, options.cache, time_limit=2.0)
    hangs, behind = findings_of(mixed(*map(plugin, ["hangs", "fine", "raises"])), hasty)
    assert "had not ended after 2 s" in hangs.text
    assert behind.text == "plugin-mixed 1.0: no time was left to import 2 more"


def test_a_library_built_for_another_numpy_is_recognised(plugin, options):
    (finding,) = findings_of([plugin("other_numpy")], options)
    assert "built for another numpy" in finding.remedy


def test_one_distribution_does_not_spoil_another(plugin, options):
    fine, bad = plugin("fine"), plugin("exits")
    levels = {
        one.text.split()[0]: one.level for one in check_plugins([fine, bad], probe_imports([[fine], [bad]], options))
    }
    assert levels == {"plugin-fine": "ok", "plugin-exits": "problem"}


def test_a_name_that_two_distributions_register_is_a_problem(plugin, options):
    clashing = Plugin(
        "model", "fine", "probed_fine:Model", "plugin-fine", "1.0", clash="registered 2 times, by a and b"
    )
    (finding,) = check_plugins([clashing], [])
    assert (finding.level, "registered 2 times" in finding.text) == ("problem", True)


def test_a_requirement_that_is_not_met_is_told_with_the_command_that_mends_it(plugin, monkeypatch):
    needs = ("torch>=9 (found 2.13.0)", "left-pad (not installed)")
    monkeypatch.setattr("cfbench.doctor.checks.missing_packages", lambda _distribution: needs)
    (finding,) = check_plugins([plugin("fine")], [])
    assert finding.text == "plugin-fine 1.0 needs torch>=9 (found 2.13.0), left-pad (not installed)"
    assert finding.remedy == "pip install 'torch>=9' 'left-pad'"


def test_data_sets_say_where_they_are(options):
    source = "cfbench.data.sources.movietweetings:MovieTweetings100K"
    data = Plugin("dataset", "movietweetings-100k", source, "cfbench", "0.1.0")
    file = Plugin("dataset", "file", "cfbench.data.sources.ratings_file:RatingsFile", "cfbench", "0.1.0")
    (probe,) = probe_imports([[data, file]], options)
    assert probe.whereabouts == {data: "embedded"}
    assert probe.problems == {}


def test_nothing_is_left_in_the_folder_of_temporary_files(plugin, options, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "site"))
    before = sorted(path.name for path in Path(tmp_path / "site").iterdir() if path.suffix == ".py")
    probe_imports([[plugin("fine")]], options)
    after = sorted(path.name for path in Path(tmp_path / "site").iterdir() if path.name != "__pycache__")
    assert after == before
