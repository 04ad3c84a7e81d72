"""Suites: read, checked, found."""

from __future__ import annotations

import pytest

from cfbench.errors import SpecError, UnknownNameError, UsageError
from cfbench.experiment.suite import Suite
from cfbench.registry.registry import shipped_suites

GOOD = """
datasets = ["ml-100k"]
models = ["dot", {name = "dot-bias", n_factors = 5}]
"""


@pytest.fixture
def write(tmp_path):
    def write_suite(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write_suite


def test_components_are_texts_or_tables_and_the_name_is_the_files(write):
    suite = Suite.read(write(GOOD))
    assert suite.name == "mine"
    assert suite.models == ("dot", "dot-bias[n_factors=5]")
    assert suite.splits == ("holdout",)


def test_all_mistakes_are_told_at_once_with_suggestions(write):
    with pytest.raises(SpecError) as caught:
        Suite.read(write('dataset = ["a"]\nmodels = []\nseed = "x"'))
    message = str(caught.value)
    assert "unknown key 'dataset'; did you mean 'datasets'" in message
    assert "models" in message
    assert "seed" in message


@pytest.mark.parametrize("text", ["models = [", "\x00"])
def test_text_that_is_not_toml_is_refused(write, text):
    with pytest.raises(SpecError, match="not valid TOML"):
        Suite.read(write(text))


def test_a_model_listed_twice_is_refused(write):
    with pytest.raises(SpecError, match="listed twice"):
        Suite.read(write('datasets = ["a"]\nmodels = ["dot", "dot"]'))


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden"])
def test_a_name_that_could_leave_the_runs_folder_is_refused(write, name):
    with pytest.raises(SpecError, match="name"):
        Suite.read(write(f'name = "{name}"\n{GOOD}'))


def test_shipped_suites_are_valid_and_found_by_name():
    for name in shipped_suites():
        assert Suite.find(name).name == name


def test_a_file_does_not_shadow_a_shipped_suite_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("quick", "mine"):
        (tmp_path / name).write_text(GOOD)
    assert Suite.find("quick").datasets == ("movietweetings-sample",)
    assert Suite.find("mine").datasets == ("ml-100k",)


def test_an_unknown_suite_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'default'"):
        Suite.find("defalt")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="cannot read suite"):
        Suite.find(str(tmp_path / "absent.toml"))


def test_the_files_that_data_sets_name_are_known_and_nothing_else_is_taken_for_one(tmp_path):
    ratings, items = tmp_path / "ratings.csv", tmp_path / "items.csv"
    for path in (ratings, items):
        path.touch()
    odd = f"acme[a={'x' * 5000},b=~nobody,c={tmp_path}]"
    suite = Suite(name="own", datasets=(f"{ratings}[items={items}]", "ml-100k", odd), models=("dot",))
    assert set(suite.data_files) == {ratings, items}
