"""Installed distributions: the copies on the import path, what each requires, and which files are its code."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from cfbench.registry.look_alikes import normalised

Origin: TypeAlias = Literal["release", "direct URL", "editable", "unlisted"]
"""Where an installed distribution's code comes from.

``release``: an index, or a wheel; ``direct URL``: a folder, an archive or a repository, copied; ``editable``: it is
imported from its sources, which may change at any time; ``unlisted``: the installer has left no list of its files.
"""

_IMPORTED = tuple(all_suffixes())
NO_CODE = re.compile(  # of a source tree: what is beside a package in a checkout, or made by tools
    r"tests?|testing|docs?|examples?|benchmarks?|scripts?|tools?|build|dist|results?|runs?|venv|env|node_modules"
    r"|setup\.py|conftest\.py|noxfile\.py|tasks\.py|.*\.(md|rst|txt|toml|cfg|ini|lock|ya?ml|log)|[A-Z]+"
)
_TOOLS = re.compile(r"(tests?|testing|dev|develop|doc(s|umentation)?|lint|typing|types|benchmarks?|build|ci)([-_.].*)?")
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
MADE = re.compile(  # by tools; other hidden files may be a package's data
    r"\.(git|hg|svn|tox|nox|idea|vscode|DS_Store|ipynb_checkpoints|coverage|nfs|#|.*_cache|.*\.sw[a-p]).*|__pycache__"
    r"|.*\.(egg|dist)-info|.*\.egg-link|.*\.pth"
)


Listed: TypeAlias = str
"""What an installer has listed of a file in RECORD, ``sha256=DIGEST,SIZE``: URL-safe base64 without padding, bytes."""


class Copy:
    """One copy of a distribution on the import path.

    Attributes:
        distribution: its metadata.
        info: the folder or file of its metadata.
        folder: the folder that its files are listed relative to.
    """

    def __init__(self, distribution: metadata.Distribution, info: Path) -> None:
        """Take the metadata; nothing is read yet."""
        self.distribution, self.info = distribution, info
        self.folder = Path(str(distribution.locate_file("")))

    @cached_property
    def _headers(self) -> Mapping[str, list[str]]:
        """The fields of its metadata; the parser of the standard library takes a millisecond for the text below."""
        text = self.distribution.read_text("METADATA") or self.distribution.read_text("PKG-INFO") or ""
        fields: dict[str, list[str]] = {}
        for line in text.partition("\n\n")[0].splitlines():
            name, colon, value = line.partition(":")
            if colon and not name[:1].isspace():
                fields.setdefault(name.lower(), []).append(value.strip())
        return fields

    @property
    def name(self) -> str:
        """Its name as it writes it itself."""
        return next(iter(self._headers.get("name", ())), "")

    @property
    def version(self) -> str:
        """Its version."""
        return next(iter(self._headers.get("version", ())), "")

    @property
    def extras(self) -> list[str]:
        """The extras that it provides to who uses it; those for tests, documentation and the like are left out."""
        return [one for one in self._headers.get("provides-extra", ()) if not _TOOLS.fullmatch(one)]

    def requirements(self, extra: str = "") -> Iterator[Requirement]:
        """Yield what it requires here, and what ``extra`` adds; what cannot be read is passed over."""
        for text in self._headers.get("requires-dist", ()):
            if "extra" in text.partition(";")[2] and not extra:
                continue
            with suppress(InvalidRequirement):
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                    yield requirement

    @cached_property
    def listed(self) -> Mapping[str, Listed] | None:
        """The files that RECORD lists, by their path in it; None where there is no RECORD.

        Left out are its metadata, programs (their first line names the interpreter), and compiled modules beside their
        sources.
        """
        text = self.distribution.read_text("RECORD")
        if text is None:
            return None
        lines = (line for line in text.split("\n") if "__pycache__/" not in line)
        rows = (line.partition(",")[::2] for line in lines)
        if '"' in text:  # a name with a comma is rare, and the fast way is a third of what ten thousand files take
            rows = ((row[0], ",".join(row[1:])) for row in csv.reader(lines) if row)
        info = f"{self.info.name}/"
        return {
            name: entry
            for name, entry in rows
            if entry and not (name.startswith(info) or (name.startswith("../") and _is_program(name)))
        }

    @cached_property
    def origin(self) -> Origin:
        """Where its code comes from."""
        if self.listed is None:
            return "unlisted"
        with suppress(ValueError, AttributeError):
            found = json.loads(self.distribution.read_text("direct_url.json") or "null")
            if found is not None:
                return "editable" if (found.get("dir_info") or {}).get("editable") else "direct URL"
        return "release"

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The packages (folders) and modules (files) that it is imported from, whole, where no list says its files.

        Of an editable install these are the packages that its ``.pth`` files and finders lead to; a checkout's other
        folders are none. Of an archive it is the archive. They are empty where all of its files are listed.
        """
        if self.folder.is_file():  # an archive on the import path
            return (self.folder,)
        if self.origin in ("release", "direct URL"):
            return ()
        if self.origin == "unlisted":
            return tuple(_packages_in(self.folder, self._import_names))
        found: dict[Path, None] = {}
        for name in self.listed or ():
            path = self.folder / name
            if name.endswith(".pth"):
                for line in _lines(path):
                    if line and not line.startswith(("#", "import ", "import\t")):
                        found |= dict.fromkeys(_packages_in(self.folder / line, self._import_names))
            elif name.endswith(".py") and "/" not in name:
                found |= dict.fromkeys(_named_in(path, self._import_names))
        return tuple(found) or tuple(_packages_in(self._project, self._import_names))

    @property
    def _project(self) -> Path:
        """The folder that an editable install was made from, its ``src`` where there is one."""
        with suppress(ValueError, KeyError, TypeError):
            project = Path(
                unquote(urlsplit(json.loads(self.distribution.read_text("direct_url.json") or "")["url"]).path)
            )
            return project / "src" if (project / "src").is_dir() else project
        return self.folder

    @cached_property
    def _import_names(self) -> frozenset[str]:
        """The names that it is known to be imported by."""
        stated = (self.distribution.read_text("top_level.txt") or "").split()
        of_entries = [
            entry.value.partition(":")[0].partition(".")[0].strip() for entry in self.distribution.entry_points
        ]
        return frozenset((*stated, *of_entries, normalised(self.name).replace("-", "_")))

    @cached_property
    def modules(self) -> list[str]:
        """The outermost packages and modules that it is imported by; of those that are called ``tests``, many have one.

        A module in a folder that several distributions may share has a name with dots.
        """
        within = tuple(f"{folder}/" for folder in self.own_folders)
        names = [*self.own_folders]
        if self.roots and not self.folder.is_file():
            names += [root.name.partition(".")[0] for root in self.roots]
        else:
            files = (name for name in self.listed or () if name.endswith(_IMPORTED) and not name.startswith(within))
            names += [name.partition(".")[0] for name in files if "." not in name.rpartition("/")[0]]
        split = (name.split("/") for name in {*names})
        ours = (parts for parts in split if parts[0].isupper() or not NO_CODE.fullmatch(parts[0]))
        return sorted(".".join(parts) for parts in ours if all(map(str.isidentifier, parts)))

    def holds(self, file: Path) -> bool:
        """Whether ``file`` is among its files."""
        path, folder = os.path.realpath(file), self._real_folder
        if self.listed is not None and os.path.relpath(path, folder).replace(os.sep, "/") in self.listed:
            return True
        return any(Path(path).is_relative_to(os.path.realpath(root)) for root in self.roots)

    @cached_property
    def _real_folder(self) -> str:
        return os.path.realpath(self.folder)

    @cached_property
    def own_folders(self) -> list[str]:
        """The outermost folders in which RECORD lists an ``__init__.py``: what lies there is imported as its.

        Folders without one may be shared with other distributions.
        """
        found: list[str] = []
        for folder in sorted(
            name.removesuffix("/__init__.py") for name in self.listed or () if name.endswith("/__init__.py")
        ):
            if not found or not folder.startswith(f"{found[-1]}/"):
                found.append(folder)
        return found


def copies_on_path() -> dict[str, list[Copy]]:
    """Return the copies of every distribution by normalised name, in the order of the import path: the first counts.

    What an editable install's build has left beside its sources is no second copy.
    """
    found: dict[str, list[Copy]] = {}
    seen = set()
    for distribution in metadata.distributions():
        info = Path(str(getattr(distribution, "_path", "")))
        place = os.path.realpath(info)
        # The folder's name says the distribution's: reading the metadata of all takes a tenth of a second.
        name = re.fullmatch(r"(?P<name>[^-]+)(-.*)?\.(dist|egg)-info", info.name)
        title = name["name"] if name else distribution.name or ""
        if title and place not in seen:
            seen.add(place)
            found.setdefault(normalised(title), []).append(Copy(distribution, info))
    return found


def hidden_copies(copies: list[Copy]) -> list[Copy]:
    """Return the copies of a distribution behind the first that are not made of the same sources."""
    first = copies[0]
    own = {os.path.realpath(root.parent) for root in first.roots}
    return [copy for copy in copies[1:] if os.path.realpath(copy.folder) not in own]


def files_below(root: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a package or module by their path from its parent; what tools have made there is left out."""
    name = root.rpartition("/")[2]
    if not os.path.isdir(root):  # noqa: PTH112 - as in state_of
        yield name, root
        return
    left, seen = [(name, root)], set()
    while left:
        prefix, folder = left.pop()
        place = os.path.realpath(folder)
        if place in seen:  # a link that leads back
            continue
        seen.add(place)
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if MADE.fullmatch(entry.name):
                    continue
                if entry.is_dir():
                    left.append((f"{prefix}/{entry.name}", entry.path))
                else:
                    yield f"{prefix}/{entry.name}", entry.path


def _is_program(name: str) -> bool:
    return name.split("/")[-2] in ("bin", "Scripts")


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return []


def _packages_in(folder: Path, names: frozenset[str]) -> Iterator[Path]:
    """Yield what can be imported from a folder on the import path as a distribution's: packages, modules, their data.

    From a folder of installed packages these are the known ``names`` alone; of a project's own folder, what beside
    them is no part of a checkout's usual furniture.
    """
    with suppress(OSError):
        entries = sorted(folder.iterdir())
        is_project = any((folder / name).exists() for name in _PROJECT)
        installed = folder.name in ("site-packages", "dist-packages")
        modules = any(entry.suffix in _IMPORTED and not NO_CODE.fullmatch(entry.name) for entry in entries)
        for entry in entries:
            known = entry.name.partition(".")[0] in names
            if MADE.fullmatch(entry.name) or (
                not known and (installed or (is_project and NO_CODE.fullmatch(entry.name)))
            ):
                continue
            if entry.is_dir():
                if known or (entry / "__init__.py").exists() or (not is_project and _has_modules(entry)):
                    yield entry
            elif known or entry.suffix in _IMPORTED or modules:
                yield entry


def _has_modules(folder: Path) -> bool:
    with suppress(OSError):
        names = {entry.name for entry in folder.iterdir()}
        return names.isdisjoint(_PROJECT) and any(name.endswith(_IMPORTED) for name in names)
    return False


def _named_in(finder: Path, names: frozenset[str]) -> Iterator[Path]:
    """Yield the packages and modules whose places the module of a finder states, as editable installs write them."""
    with suppress(OSError, SyntaxError, ValueError):
        for node in ast.walk(ast.parse(finder.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/"):
                path = Path(node.value)
                path = path.parent if path.name == "__init__.py" else path
                if any((path / name).exists() for name in _PROJECT):
                    yield from _packages_in(path, names)
                else:  # finders of setuptools state modules without their suffix
                    yield from filter(Path.exists, (Path(f"{path}{end}") for end in ("", *_IMPORTED)))
