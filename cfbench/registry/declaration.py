"""What a plugin class declares, read from its source without running any of it.

``cfbench list`` and the checking of parameters must not import torch to know that ``dot`` takes ``n_factors``. So
the class named by an entry point is found and read with :mod:`ast`: its docstring, its methods (which powers it
has), its annotated fields (its parameters). Re-exports and base classes are followed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from cfbench.errors import PluginError
from cfbench.model.protocols import CAPABILITIES
from cfbench.registry.modules import source_of
from cfbench.spec import Value

_DEEPEST = 8  # re-exports and base classes followed before giving up


@dataclass(frozen=True)
class Parameter:
    """One init field of a plugin class.

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
        """Whether ``value`` fits the annotation; annotations beyond JSON-like types accept anything."""
        return _accepts(ast.parse(self.annotation, mode="eval").body, value)

    @property
    def expected(self) -> str:
        """What is accepted, in words for messages: ``"a list of whole numbers such as [1,2]"``."""
        return _in_words(ast.parse(self.annotation, mode="eval").body)

    def canonical(self, value: Value) -> Value:
        """Bring an accepted value to one form, so that ``5`` and ``5.0`` are the same ``float``."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        kinds = {kind.strip() for kind in self.annotation.split("|")}
        return float(value) if whole and "float" in kinds and "int" not in kinds else value  # type: ignore[arg-type]


@dataclass(frozen=True)
class Declaration:
    """What the source of a plugin class says.

    Attributes:
        description: first line of the class docstring.
        capabilities: names out of :data:`cfbench.model.protocols.CAPABILITIES` whose method the class defines.
        parameters: init fields by name, in order of definition.
    """

    description: str
    capabilities: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: MappingProxyType({}))


@cache
def declaration_of(value: str) -> Declaration:
    """Read the class that the entry point ``value`` (``package.module:Class``) names.

    Raises PluginError with the reason where module, file or class cannot be found or read.
    """
    module, _, attribute = value.partition(":")
    if not module or not attribute.isidentifier():
        raise PluginError(f"entry point {value!r} is not of the form 'package.module:Class'")
    family = list(_lineage(module, attribute, _DEEPEST))
    methods = {node.name for cls in family for node in cls.body if isinstance(node, ast.FunctionDef)}
    parameters: dict[str, Parameter] = {}
    for cls in reversed(family):
        parameters.update(_parameters(cls))
    documented = (ast.get_docstring(cls) for cls in family)
    text = next((doc for doc in documented if doc), "")
    return Declaration(
        description=text.split("\n", 1)[0].replace("``", "`"),
        capabilities=tuple(power.name for power in CAPABILITIES if power.method in methods),
        parameters=MappingProxyType(parameters),
    )


def code_digest(value: str) -> str:
    """Sha256 over the Python sources of the top-level package (or single file) behind an entry point.

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
def _tree(module: str) -> ast.Module:
    path = source_of(module)
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError) as error:
        raise PluginError(f"module {module!r} cannot be read: {error}") from error


def _lineage(module: str, name: str, depth: int) -> Iterator[ast.ClassDef]:
    """Yield the class and those of its base classes whose source can be found, nearest first."""
    found = _class(module, name, depth)
    if found is None:
        raise PluginError(f"module {module!r} defines no class {name!r}")
    where, cls = found
    yield cls
    for base in cls.bases:
        if isinstance(base, ast.Name) and depth and _class(where, base.id, depth - 1):
            yield from _lineage(where, base.id, depth - 1)


def _class(module: str, name: str, depth: int) -> tuple[str, ast.ClassDef] | None:
    """Find class ``name`` in ``module``, or where the module imports it from; None where that is not source."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and depth:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    try:
                        return _class(_absolute(module, node), alias.name, depth - 1)
                    except PluginError:
                        return None
    return None


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module if source_of(module).name == "__init__.py" else module.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


def _parameters(cls: ast.ClassDef) -> Iterator[tuple[str, Parameter]]:
    for node in cls.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        annotation = ast.unparse(node.annotation).strip("\"'")
        default, init = _default(node.value)
        if init and not annotation.startswith(("ClassVar", "typing.ClassVar")):
            literal = _literal(default)
            yield node.target.id, Parameter(node.target.id, default is None, literal, annotation)


def _default(value: ast.expr | None) -> tuple[ast.expr | None, bool]:
    """Return the default's expression and whether the field is an init parameter at all."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "dataclasses.field"):
        words = {keyword.arg: keyword.value for keyword in value.keywords}
        init = words.get("init")
        in_init = not (isinstance(init, ast.Constant) and init.value is False)
        return words.get("default") or words.get("default_factory"), in_init
    return value, True


def _literal(expression: ast.expr | None) -> Value:
    if expression is None:
        return None
    try:
        value = ast.literal_eval(expression)
    except ValueError:
        return ast.unparse(expression)
    return tuple(value) if isinstance(value, list | tuple) else value


def _accepts(annotation: ast.expr, value: Value) -> bool:  # noqa: PLR0911 - one return per kind of annotation
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id="int"):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.Name(id="float"):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.Name(id="str"):
            return isinstance(value, str)
        case ast.Name(id="bool"):
            return isinstance(value, bool)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return value in _as_tuple(ast.literal_eval(options))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[each, ast.Constant(value=end)])) if (
            end is ...
        ):
            return isinstance(value, tuple) and all(_accepts(each, part) for part in value)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=parts)):
            fits = isinstance(value, tuple) and len(value) == len(parts)
            return fits and all(map(_accepts, parts, _as_tuple(value)))
        case _:
            return True


_WORDS = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}
_LISTS = {"int": "whole numbers such as [1,2]", "float": "numbers such as [0.5,2]", "str": "texts such as [a,b]"}


def _in_words(annotation: ast.expr) -> str:
    """Put an annotation into words; the source itself where there are none for it."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_in_words(left)} or {_in_words(right)}"
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name) if name in _WORDS:
            return _WORDS[name]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return f"one of {', '.join(map(str, _as_tuple(ast.literal_eval(options))))}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[ast.Name(id=name), *_])) if name in _LISTS:
            return f"a list of {_LISTS[name]}"
        case _:
            return ast.unparse(annotation)


def _as_tuple(value: object) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)
