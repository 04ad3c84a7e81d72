"""Declarations of plugin classes: description, capabilities and parameters, read from the source without running it.

``cfbench list`` and the check of parameters must not import a model library, seconds each, to know which parameters a
model takes. So the class that an entry point names is found and read with :mod:`ast`: its docstring, its methods (which
capabilities it has), its annotated fields (its parameters). Re-exports and base classes are followed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any

from cfbench.errors import PluginError
from cfbench.model.protocols import CAPABILITIES
from cfbench.spec import Value

_MAX_DEPTH = 16  # re-exports and base classes followed before giving up


@dataclass(frozen=True)
class Parameter:
    """A parameter of a plugin class: one field that its ``__init__`` takes.

    Attributes:
        name: the field's name.
        required: whether it has no default.
        default: the default where it is a literal, else its source text.
        annotation: the annotation's source text, as shown in messages.
    """

    name: str
    required: bool
    default: Value
    annotation: str

    def __str__(self) -> str:
        default = "required" if self.required else repr(self.default)
        return f"{self.name}: {self.annotation} = {default}"

    def accepts(self, value: Value) -> bool:
        """Return whether ``value`` fits the annotation; annotations beyond JSON-like types accept anything."""
        return _understood(ast.parse(self.annotation, mode="eval").body)[0](value)

    @property
    def expected(self) -> str:
        """The accepted values in words, for messages: ``"a list of whole numbers such as [1,2]"``."""
        return _understood(ast.parse(self.annotation, mode="eval").body)[1]

    def canonical(self, value: Value) -> Value:
        """Return an accepted value in its one form, so that ``5`` and ``5.0`` are the same ``float``."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        kinds = {kind.strip() for kind in self.annotation.split("|")}
        return float(value) if whole and "float" in kinds and "int" not in kinds else value  # type: ignore[arg-type]


@dataclass(frozen=True)
class Declaration:
    """The public side of a plugin class.

    Attributes:
        description: first line of the class docstring.
        capabilities: names out of :data:`cfbench.model.protocols.CAPABILITIES` whose method the class defines.
        parameters: init fields by name, in order of definition.
        seed_names: former names of renamed parameters, by their names of today, see :func:`_seed_names`.
    """

    description: str
    capabilities: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    seed_names: Mapping[str, str]


@cache
def declaration_of(value: str) -> Declaration:
    """Read the class that the entry point ``value`` (``package.module:Class``) names.

    Raises PluginError with the reason where module, file or class cannot be found or read.
    """
    module, _, attribute = value.partition(":")
    if not module or not attribute.isidentifier():
        raise PluginError(f"entry point {value!r} is not of the form 'package.module:Class'")
    classes = list(_classes(module, attribute))
    if not classes:
        raise PluginError(f"module {module!r} defines no class {attribute!r}")
    methods = {node.name for cls in classes for node in cls.body if isinstance(node, ast.FunctionDef)}
    docstring = next(filter(None, map(ast.get_docstring, classes)), "")
    return Declaration(
        description=docstring.split("\n", 1)[0].replace("``", "`"),
        capabilities=tuple(capability.name for capability in CAPABILITIES if capability.method in methods),
        parameters=MappingProxyType({one.name: one for cls in reversed(classes) for one in _parameters(cls)}),
        seed_names=MappingProxyType(_seed_names(value, classes)),
    )


@cache
def source_of(module: str) -> Path:
    """Return the file that importing ``module`` would execute.

    Raises PluginError where there is no such module, or none of Python source.
    """
    origin = located(module)[0]
    if origin is None or not origin.endswith(".py"):
        raise PluginError(f"module {module!r} has no Python source file to read ({origin})")
    return Path(origin)


def folder_of(package: str) -> Path:
    """Return the folder of ``package``, with or without an ``__init__.py``.

    Raises PluginError where there is no such package.
    """
    folders = located(package)[1]
    if not folders:
        raise PluginError(f"{package!r} is a module, expected a package: a folder")
    return Path(folders[0])


def located(module: str) -> tuple[str | None, list[str]]:
    """Return the file of ``module``, None for a package without ``__init__.py``, and the folders of the package."""
    origin, search, name = None, sys.path, ""
    for part in module.split("."):
        path, name = (search, f"{name}.{part}") if name else (None, part)
        spec = None
        for finder in sys.meta_path:
            with suppress(AttributeError, KeyError):  # an old finder, or a parent that is not imported
                spec = spec or finder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            origin, search = spec.origin, list(spec.submodule_search_locations or [])
            continue
        # A package without __init__.py: its spec knows its folders only once its parent is imported.
        origin, search = None, [str(Path(place) / part) for place in search if (Path(place) / part).is_dir()]
        if not search:
            raise PluginError(f"there is no module {name!r}")
    return origin, search


@cache
def _parsed(module: str) -> ast.Module:
    path = source_of(module)
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError) as error:
        raise PluginError(f"module {module!r} cannot be read: {error}") from error


def _classes(module: str, name: str, depth: int = _MAX_DEPTH) -> Iterator[ast.ClassDef]:
    """Yield a class, found in ``module`` or where that imports it from, then its base classes that are source too."""
    for node in _parsed(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node
            for base in node.bases if depth else ():
                if isinstance(base, ast.Name):
                    yield from _classes(module, base.id, depth - 1)
            return
        if isinstance(node, ast.ImportFrom) and depth:
            original = {alias.asname or alias.name: alias.name for alias in node.names}.get(name)
            if original is not None:
                package = module if source_of(module).name == "__init__.py" else module.rpartition(".")[0]
                with suppress(ImportError, PluginError):
                    origin = resolve_name("." * node.level + (node.module or ""), package)
                    yield from _classes(origin, original, depth - 1)
                return


def _parameters(cls: ast.ClassDef) -> Iterator[Parameter]:
    """Yield the annotated fields that the dataclass's ``__init__`` takes."""
    for node in cls.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.target.id.endswith("_"):
            continue  # names of learned attributes end in "_"
        expression, options = node.value, dict[str | None, ast.expr]()
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) in ("field", "dataclasses.field"):
            options = {keyword.arg: keyword.value for keyword in expression.keywords}
            expression = options.get("default") or options.get("default_factory")
        annotation = ast.unparse(node.annotation).strip("\"'")
        in_init = "init" not in options or ast.unparse(options["init"]) != "False"
        if not in_init or annotation.startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = ast.unparse(expression) if expression is not None else "None"
        with suppress(ValueError):  # where it is no literal
            default = ast.literal_eval(default)
        default = tuple(default) if isinstance(default, list) else default
        yield Parameter(node.target.id, expression is None, default, annotation)


def _seed_names(value: str, classes: Sequence[ast.ClassDef]) -> dict[str, str]:
    """Return the class attribute ``seed_names``, a literal such as ``{"epochs": "iterations"}``; {} where it has none.

    Seeds are derived from parameters by name. So that a renamed parameter does not change every seed, and with it every
    published number, its class keeps the name that seeds are derived from.
    """
    for node in (node for cls in classes for node in cls.body if isinstance(node, ast.AnnAssign | ast.Assign)):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        if node.value is not None and any(isinstance(one, ast.Name) and one.id == "seed_names" for one in targets):
            try:
                return dict(ast.literal_eval(node.value))
            except (TypeError, ValueError) as error:
                raise PluginError(f"{value}: seed_names must be a literal table of parameter names") from error
    return {}


# Of each type: the Python types that fit, one value in words, several values in words.
_TYPES: dict[str, tuple[type | UnionType, str, str]] = {
    "int": (int, "a whole number", "whole numbers such as [1,2]"),
    "float": (int | float, "a number", "numbers such as [0.5,2]"),
    "str": (str, "a text", "texts such as [a,b]"),
    "bool": (bool, "true or false", "true or false"),
}


def _understood(annotation: ast.expr) -> tuple[Callable[[Any], bool], str]:
    """Return a test of values that fit an annotation, and these values in words: its source where there are none."""
    source = ast.unparse(annotation)
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            (fits_left, left_words), (fits_right, right_words) = _understood(left), _understood(right)
            return lambda value: fits_left(value) or fits_right(value), f"{left_words} or {right_words}"
        case ast.Constant(value=None):
            return lambda value: value is None, "null"
        case ast.Name(id=name) if name in _TYPES:
            types, words, _ = _TYPES[name]
            return lambda value: isinstance(value, types) and isinstance(value, bool) == (name == "bool"), words
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            with suppress(TypeError, ValueError):  # where it holds names, which are known where the class is imported
                found = ast.literal_eval(options)
                choices = found if isinstance(found, tuple) else (found,)
                return lambda value: value in choices, f"one of {', '.join(map(str, choices))}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=parts)):
            tests, name = [_understood(part)[0] for part in parts], ast.unparse(parts[0]) if parts else ""

            def all_fit(value: Any) -> bool:
                each = tests[:1] * len(value) if source.endswith(", ...]") else tests
                return len(value) == len(each) and all(fits(part) for fits, part in zip(each, value, strict=True))

            words = f"a list of {_TYPES[name][2]}" if name in _TYPES else source
            return lambda value: isinstance(value, tuple) and all_fit(value), words
    return lambda _value: True, source
