"""Plugins are understood from their source, without running it."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from cfbench.errors import PluginError
from cfbench.registry.declaration import Parameter, declaration_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write modules of a package with a unique name that raises when imported; return its name."""
    name = f"plugin_{abs(hash(str(tmp_path)))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def write(module: str, source: str) -> str:
        (folder / f"{module}.py").write_text(dedent(source))
        return f"{name}.{module}"

    yield write
    assert name not in sys.modules


MODEL = '''
    from dataclasses import dataclass, field
    from typing import ClassVar, Literal
    import a_library_that_is_not_there

    @dataclass
    class Model:
        """Does something.

        And more.
        """
        tag: ClassVar[str] = "x"
        n_factors: int = 50
        y_range: tuple[float, float] | None = None
        layers: tuple[int, ...] = (100,)
        schedule: Literal["one-cycle", "constant"] = "constant"
        needed: float
        factors_: object = field(init=False, default=None)

        def fit(self, train, context): ...
        def predict(self, users, items): ...
'''


def test_description_powers_and_parameters_come_from_the_source(package):
    declared = declaration_of(package("model", MODEL) + ":Model")
    assert declared.description == "Does something."
    assert declared.capabilities == ("predicts",)
    assert list(declared.parameters) == ["n_factors", "y_range", "layers", "schedule", "needed"]
    assert declared.parameters["n_factors"].default == 50
    assert declared.parameters["layers"].default == (100,)
    assert declared.parameters["needed"].required


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("n_factors", 3, 2.5),
        ("n_factors", 3, True),
        ("needed", 1, "1"),
        ("y_range", (0, 5.5), (1.0,)),
        ("y_range", None, "scale"),
        ("layers", (1, 2, 3), (1, "2")),
        ("layers", (), 5),
        ("schedule", "one-cycle", "cosine"),
    ],
)
def test_values_are_checked_against_annotations(package, name, good, bad):
    parameter = declaration_of(package("model", MODEL) + ":Model").parameters[name]
    assert parameter.accepts(good)
    assert not parameter.accepts(bad)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int | Literal[NAME]", (5, "x"), ()),  # whatever NAME is: it is known only where the class is imported
        ("Literal[f(1)]", (5, "x", None), ()),
        ("tuple[()]", ((),), ((1,), 1)),
        ("tuple[()] | None", ((), None), ((1,),)),
    ],
)
def test_annotations_that_are_not_understood_in_full_are_answered_for(package, annotation, good, bad):
    declared = declaration_of(package("model", f"class Model:\n    k: {annotation}\n") + ":Model")
    parameter = declared.parameters["k"]
    assert all(map(parameter.accepts, good))
    assert not any(map(parameter.accepts, bad))
    assert parameter.expected


def test_re_exports_and_base_classes_are_followed(package):
    package("base", "class Base:\n    '''Base.'''\n    k: int = 1\n    def score_items(self, users): ...\n")
    package("model", "from .base import Base\nclass Model(Base):\n    k: int = 2\n    def fit(self, a, b): ...\n")
    declared = declaration_of(package("front", "from .model import Model\n") + ":Model")
    assert declared.capabilities == ("ranks",)
    assert declared.parameters["k"].default == 2
    assert declared.description == "Base."


@pytest.mark.parametrize("annotation", [": ClassVar", ""])
def test_attributes_that_fit_learns_and_former_names_are_no_parameters(package, annotation):
    source = f"class Model:\n    k: int = 1\n    factors_: object\n    seed_names{annotation} = {{'k': 'n_nearest'}}\n"
    declared = declaration_of(package("model", source) + ":Model")
    assert list(declared.parameters) == ["k"]
    assert declared.seed_names == {"k": "n_nearest"}


def test_former_names_must_be_a_table_that_can_be_read(package):
    source = "class Model:\n    seed_names: ClassVar = names_of_before()\n"
    with pytest.raises(PluginError, match="seed_names must be a literal table"):
        declaration_of(package("model", source) + ":Model")


@pytest.mark.parametrize(
    ("source", "value", "complaint"),
    [
        ("x = 1", "{module}:Model", "no class 'Model'"),
        ("def broken(:", "{module}:Model", "cannot be read"),
        ("", "{module}", "not of the form"),
        ("", "{module}.missing:Model", "no module"),
    ],
)
def test_a_class_that_cannot_be_found_is_a_named_problem(package, source, value, complaint):
    module = package("model", source)
    with pytest.raises(PluginError, match=complaint):
        declaration_of(value.format(module=module))


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("tuple[int, ...]", "a list of whole numbers such as [1,2]"),
        ("Literal['random', 'time']", "one of random, time"),
        ("float | None", "a number or null"),
        ("bool", "true or false"),
        ("dict[str, int]", "dict[str, int]"),
    ],
)
def test_messages_say_in_words_what_is_accepted(annotation, words):
    assert Parameter("p", False, None, annotation).expected == words
