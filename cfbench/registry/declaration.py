"""Declarations of plugin classes: description, capabilities and parameters, read from the source without running it.

``cfbench list`` and the check of parameters must not import a model library, seconds each, to know which parameters a
model takes. So the class that an entry point names is found and read with :mod:`ast`: its docstring, its methods (which
capabilities it has), its annotated fields (its parameters). Re-exports and base classes are followed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from types import MappingProxyType, UnionType
from typing import Any

from cfbench.errors import PluginError
from cfbench.model.protocols import CAPABILITIES
from cfbench.registry.modules import source_of
from cfbench.spec import Value

_MAX_DEPTH = 8  # re-exports and base classes followed before giving up


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
        return _accepts(ast.parse(self.annotation, mode="eval").body, value)

    @property
    def expected(self) -> str:
        """The accepted values in words, for messages: ``"a list of whole numbers such as [1,2]"``."""
        return _in_words(ast.parse(self.annotation, mode="eval").body)

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
    classes = _class_and_bases(module, attribute, _MAX_DEPTH)
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


def code_digest(value: str) -> str:
    """Return a SHA-256 over the Python sources of the top-level package (or single file) behind an entry point.

    It makes an edited plugin under development a different plugin, whatever its version says.
    """
    origin = source_of(value.partition(":")[0].partition(".")[0])
    sources = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(origin.parent).as_posix().encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _parsed(module: str) -> ast.Module:
    path = source_of(module)
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError) as error:
        raise PluginError(f"module {module!r} cannot be read: {error}") from error


def _class_and_bases(module: str, name: str, depth: int) -> list[ast.ClassDef]:
    """Return the class and those of its base classes whose source can be found, nearest first."""
    found = _class(module, name, depth)
    if found is None:
        return []
    module, cls = found
    bases = [base.id for base in cls.bases if isinstance(base, ast.Name)] if depth else []
    return [cls, *(ancestor for base in bases for ancestor in _class_and_bases(module, base, depth - 1))]


def _class(module: str, name: str, depth: int) -> tuple[str, ast.ClassDef] | None:
    """Find class ``name`` in ``module``, or where the module imports it from; None where that is not source."""
    for node in _parsed(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and depth:
            original = {alias.asname or alias.name: alias.name for alias in node.names}.get(name)
            if original is not None:
                package = module if source_of(module).name == "__init__.py" else module.rpartition(".")[0]
                try:
                    return _class(resolve_name("." * node.level + (node.module or ""), package), original, depth - 1)
                except (ImportError, PluginError):
                    return None
    return None


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
        default: Value = None
        if expression is not None:
            try:
                default = ast.literal_eval(expression)
            except ValueError:
                default = ast.unparse(expression)
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


def _accepts(annotation: ast.expr, value: object) -> bool:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name) if name in _TYPES:
            return isinstance(value, _TYPES[name][0]) and isinstance(value, bool) == (name == "bool")
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return value in _choices(options)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=parts)):
            if isinstance(value, tuple) and ast.unparse(annotation).endswith(", ...]"):
                parts = parts[:1] * len(value)
            return isinstance(value, tuple) and len(value) == len(parts) and all(map(_accepts, parts, value))
        case _:
            return True


def _in_words(annotation: ast.expr) -> str:
    """Return an annotation in words; its source where there are none for it."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_in_words(left)} or {_in_words(right)}"
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name) if name in _TYPES:
            return _TYPES[name][1]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return f"one of {', '.join(map(str, _choices(options)))}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[ast.Name(id=name), *_])) if name in _TYPES:
            return f"a list of {_TYPES[name][2]}"
        case _:
            return ast.unparse(annotation)


def _choices(options: ast.expr) -> tuple[Any, ...]:
    """Return the values of ``Literal[...]``."""
    values = ast.literal_eval(options)
    return values if isinstance(values, tuple) else (values,)
