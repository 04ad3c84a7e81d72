"""Suites of installed distributions are found without importing anything."""

import sys

import pytest

from cfbench.errors import UsageError
from cfbench.experiment.suite import Suite
from cfbench.registry.registry import shipped_suites


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution that registers suites of the package of the same name."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(distribution, *names, package="", body="raise SystemExit"):
        folder = tmp_path / (package or distribution)
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text(body)
        info = tmp_path / f"{distribution}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        entries = "\n".join(f"{name} = {package or distribution}" for name in names)
        (info / "entry_points.txt").write_text(f"[cfbench.suites]\n{entries}\n")
        return folder

    return make


def test_a_suite_is_the_file_of_its_name_in_the_package_that_its_entry_point_names(install):
    (install("whole-suites", "mine", package="whole_suites") / "mine.toml").write_text(
        'datasets = ["d"]\nmodels = ["m"]'
    )
    found = shipped_suites()["mine"]
    assert (found.distribution, found.version, found.problem) == ("whole-suites", "1", "")
    assert Suite.find("mine").models == ("m",)
    assert "whole_suites" not in sys.modules


def test_a_suite_without_a_file_is_a_problem_that_names_its_distribution(install):
    install("no-suite", "mine", package="no_suite")
    with pytest.raises(UsageError, match=r"'mine' of no-suite: there is no file .*mine\.toml"):
        Suite.find("mine")


def test_a_folder_without_an_init_file_is_a_package_too(install):
    folder = install("bare-folder", "mine", package="bare_folder")
    (folder / "__init__.py").unlink()
    (folder / "mine.toml").write_text('datasets = ["d"]\nmodels = ["m"]')
    assert Suite.find("mine").models == ("m",)


def test_a_folder_below_a_package_needs_no_init_file_either(install):
    folder = install("nested-suites", "mine", package="nested_suites")
    entry_points = folder.parent / "nested-suites-1.dist-info" / "entry_points.txt"
    entry_points.write_text("[cfbench.suites]\nmine = nested_suites.below\n")
    (folder / "below").mkdir()
    (folder / "below" / "mine.toml").write_text('datasets = ["d"]\nmodels = ["m"]')
    assert Suite.find("mine").models == ("m",)


def test_a_suite_without_a_package_is_a_problem_too(install):
    folder = install("no-package", "mine", package="no_package")
    (folder / "__init__.py").unlink()
    folder.rmdir()
    assert "no_package" in shipped_suites()["mine"].problem


def test_two_distributions_cannot_ship_suites_of_one_name(install):
    for name in ("first_twin", "second_twin"):
        (install(name, "mine") / "mine.toml").write_text("")
    assert "registered 2 times, by " in shipped_suites()["mine"].problem
