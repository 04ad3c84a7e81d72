"""Identity of code: a digest of all that a plugin's answers depend on, and whether that is still what it was.

It is made of content alone, by names that do not depend on where it lies: equal code has equal digests, on any machine,
whether it was installed as a wheel or is imported from its sources.

- Of the plugin's own distribution, all files that its wheel ships or would ship (data and compiled modules too), and
  whatever else lies in its packages.
- Of what it requires, and what that requires, the same. A file that an installer has listed, with its digest, counts
  with that digest for as long as the kernel says that nobody has touched it since the list was written: a library of
  gigabytes is not read. Headers, stubs and tests of libraries do not count: no answer comes from them.
- Of cfbench itself, what runs in a cell before its answers are written. The rest may change, and figures with it: kept
  answers are measured again.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import cache_from_source
from pathlib import Path
from typing import TypeAlias

from cfbench.files.digests import FileDigests, State, state_of, written_before
from cfbench.files.user_folders import cache_folder
from cfbench.registry.distributions import Copy, Listed, copies_on_path, files_below, hidden_copies
from cfbench.registry.hidden_code import hiding_modules, unlisted_code
from cfbench.registry.look_alikes import FIRST_PARTY, LIBRARIES, is_first_party, look_alike, normalised

HARNESS = "cfbench"
# A plugin may derive from what is in these; the rest of cfbench is not asked, or sees answers when they are written.
_IN_CELLS = ("cfbench/model/", "cfbench/inference/", "cfbench/execution/fit_and_predict.py", "cfbench/spec.py")
_NEVER_RUN = (".h", ".hpp", ".cuh", ".pyi", ".cmake")
_IN_PLACE_OF = "in place of "  # begins the names of files that hide a distribution's own
_NAMED = 3  # files that one remark names

Remark: TypeAlias = tuple[str, str]
"""A code out of :data:`REMARKS` and a sentence, about a distribution that may not be what it seems to be."""

REMARKS = ("look-alike", "duplicate-distribution", "foreign-files", "edited-code", "hidden-code")
"""The codes of remarks."""


@dataclass(frozen=True)
class DistributionCode:
    """The code of one installed distribution.

    Attributes:
        copy: the copy that counts.
        digest: SHA-256 over the names and contents of its files, in hexadecimal digits.
        files: path and state of the files that were looked at, by name.
        edited: the listed files whose content is not the listed one.
        foreign: files in its own packages that it does not list.
        hidden: its modules that importing would not find, others being ahead of them on the import path; of a plugin's
            own distribution, those of Python's library too.
        required: whether it was read as what another one requires.
    """

    copy: Copy
    digest: str
    files: Mapping[str, tuple[str, State | None]]
    edited: tuple[str, ...]
    foreign: tuple[str, ...]
    hidden: tuple[str, ...]
    required: bool

    @classmethod
    def read(cls, copy: Copy, *, required: bool) -> DistributionCode:
        """Read the files of ``copy``, as far as nobody vouches for them."""
        memory = hashlib.sha256(str(copy.info).encode()).hexdigest()[:32]
        digests = FileDigests(cache_folder() / "digests" / f"{memory}.json")
        listed = {} if copy.roots else copy.listed or {}
        list_written, hidden = _list_written(copy), hiding_modules(copy, python=not required)
        files = _files(copy, required, hidden)
        contents, edited, foreign = dict[str, str](), list[str](), list[str]()
        for name, (path, state) in files.items():
            entry = listed.get(name, "")
            if required and state is not None and _as_listed(entry, state, list_written):
                contents[name] = entry[7:].partition(",")[0]
                continue
            contents[name] = _content(digests, path)
            if not entry and copy.own_folders and not (copy.roots or name.startswith(_IN_PLACE_OF)):
                foreign.append(name)
            elif entry.startswith("sha256=") and not entry.startswith(f"sha256={contents[name]},"):
                edited.append(name)
        digests.save()
        text = "".join(f"{name}\0{content}\n" for name, content in sorted(contents.items()))
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
        return cls(copy, digest, files, tuple(edited), tuple(foreign), tuple(hidden), required)

    def untouched(self) -> bool:
        """Return whether its files are still in the very states that they were read in, as the kernel tells."""
        hidden = hiding_modules(self.copy, python=not self.required)
        return _files(self.copy, self.required, hidden) == self.files

    @property
    def origin(self) -> str:
        """Where it comes from, in words; an edited release is no release any more."""
        return f"edited {self.copy.origin}" if self.edited else self.copy.origin

    def __str__(self) -> str:
        return f"{self.copy.name} {self.copy.version}, {self.origin}, sha256 {self.digest}"


@dataclass(frozen=True)
class CodeIdentity:
    """All code that the answers of a distribution's plugins depend on.

    Attributes:
        own: the distribution.
        required: what it requires, and what that requires; of cfbench, what runs in cells.
    """

    own: DistributionCode
    required: tuple[DistributionCode, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all of it, in hexadecimal digits."""
        lines = sorted(f"{normalised(one.copy.name)} {one.copy.version} {one.digest}" for one in self.required)
        return hashlib.sha256("\n".join([self.own.digest, *lines]).encode()).hexdigest()

    @cached_property
    def remarks(self) -> list[Remark]:
        """What a reader should know of the libraries that it requires."""
        found, name = list[Remark](), self.own.copy.name
        for one in self.required:
            if one.edited:
                text = f"files of {one.copy.name}, which {name} requires, were changed since it was installed"
                found.append(("edited-code", f"{text}: {_some(one.edited)}"))
            if one.foreign:
                text = f"in packages of {one.copy.name}, which {name} requires, lie files that are not its own"
                found.append(("foreign-files", f"{text}: {_some(one.foreign)}"))
            if one.hidden:
                found.append(_hidden_remark(one.copy.name, one.hidden))
        return found

    @property
    def hiding(self) -> list[str]:
        """Paths of the files that hide modules of its own, of libraries or of Python."""
        files = (item for one in (self.own, *self.required) for item in one.files.items())
        return [path for name, (path, _) in files if name.startswith(_IN_PLACE_OF)]

    def untouched(self) -> bool:
        """Return whether all files are still in the states that they were read in."""
        return self.own.untouched() and all(one.untouched() for one in self.required)

    def difference(self, later: CodeIdentity) -> str:
        """Return in words what was changed until ``later``, for a while at least; an empty text where nothing was."""
        for one, other in zip((self.own, *self.required), (later.own, *later.required), strict=False):
            if one.digest != other.digest or one.copy.info != other.copy.info:
                return f"the code of {one.copy.name} was changed"
            if any(_written(state, other.files[name][1]) for name, (_, state) in one.files.items()):
                return f"the code of {one.copy.name} was written to"
        return "" if self.digest == later.digest else "other libraries were installed"


@dataclass
class Installation:
    """The distributions on the import path, each read once: as long as it is not asked again, what it says stays."""

    _codes: dict[tuple[Path, bool], DistributionCode] = field(default_factory=dict)
    _identities: dict[str, CodeIdentity] = field(default_factory=dict)
    _hidden: dict[Path, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def copies(self) -> Mapping[str, list[Copy]]:
        """The copies of every distribution by normalised name; the first counts."""
        return copies_on_path()

    def found(self, distribution: str) -> Copy | None:
        """Return the copy of a distribution that counts, None where it is not installed."""
        return next(iter(self.copies.get(normalised(distribution), ())), None)

    def code(self, distribution: str, *, required: bool = False) -> DistributionCode | None:
        """Return the code of a distribution alone, whole unless it is one that another requires."""
        copy = self.found(distribution)
        if copy is None:
            return None
        if (copy.info, required) not in self._codes:
            self._codes[copy.info, required] = DistributionCode.read(copy, required=required)
        return self._codes[copy.info, required]

    def identity(self, distribution: str) -> CodeIdentity | None:
        """Return the identity of a distribution's code with all that it requires, None where it is not installed."""
        name = normalised(distribution)
        if name not in self._identities and (own := self.code(name)) is not None:
            required = (self.code(one, required=True) for one in sorted(self._required(own.copy)))
            self._identities[name] = CodeIdentity(own, tuple(one for one in required if one is not None))
        return self._identities.get(name)

    def change(self, distribution: str) -> str:
        """Return in words how the code of a distribution, or of what it requires, was changed since it was read.

        The text is empty where it is as it was. It costs a look at the state of each file.
        """
        before = self.identity(distribution)
        if before is None or before.untouched():
            return ""
        after = Installation().identity(distribution)
        if after is None:
            return f"{distribution} was uninstalled"
        change = before.difference(after)
        if not change:
            self._identities[normalised(distribution)] = after
        return change

    def remarks(self, distribution: str) -> list[Remark]:
        """Return what a reader should know before believing that a distribution is what its name says."""
        copy, found = self.found(distribution), list[Remark]()
        if copy is None:
            return []
        # What anybody may install, and name as he likes, makes nobody else suspect.
        known = () if is_first_party(distribution) else (*FIRST_PARTY, *LIBRARIES)
        if likeness := look_alike(distribution, known):
            found.append(("look-alike", f"{distribution} may not be what it seems: {likeness}"))
        if others := hidden_copies(self.copies[normalised(distribution)]):
            versions = " and ".join(f"{copy.name} {copy.version}" for copy in others)
            text = f"{distribution} is on the import path {1 + len(others)} times; its first copy was used, which hides"
            found.append(("duplicate-distribution", f"{text} {versions}"))
        # An editable install lists no files of its packages, so none is foreign or edited: it is not read here.
        code = None if copy.roots else self.code(distribution)
        if code is not None and code.foreign:
            text = f"in packages of {distribution} lie files that are not its own: {_some(code.foreign)}"
            found.append(("foreign-files", text + self._owners(code)))
        if code is not None and code.edited:
            text = f"files of {distribution} were changed since it was installed: {_some(code.edited)}"
            found.append(("edited-code", text))
        if copy.info not in self._hidden:
            self._hidden[copy.info] = code.hidden if code else tuple(hiding_modules(copy, python=True))
        if hidden := self._hidden[copy.info]:
            found.append(_hidden_remark(f"{distribution} or of Python", hidden))
        return found

    def _owners(self, code: DistributionCode) -> str:
        """Say whose the foreign files of a distribution are, where another one lists them."""
        beside = [copy for copies in self.copies.values() for copy in copies if copy.folder == code.copy.folder]
        owners = [f"{copy.name} {copy.version}" for copy in beside if set(code.foreign) & set(copy.listed or ())]
        return f", but of {' and '.join(sorted(owners))}" if owners else ""

    def _required(self, copy: Copy) -> set[str]:
        """Return the names of what a distribution requires, and of what that requires, numpy included.

        So does what its extras ask for: nobody knows which of them were wanted, and it uses what it finds. What cfbench
        requires is left out: in cells it needs numpy alone.
        """
        names, seen = {"numpy"}, set[tuple[str, str]]()
        left = [(copy, extra) for extra in ("", *copy.extras)]
        while left:
            current, extra = left.pop()
            for requirement in current.requirements(extra):
                name = normalised(requirement.name)
                names.add(name)
                for wanted in {"", *requirement.extras} if name != HARNESS else ():
                    if (name, wanted) not in seen and (found := self.found(name)) is not None:
                        left.append((found, wanted))
                    seen.add((name, wanted))
        return names - {normalised(copy.name)}


def _files(copy: Copy, required: bool, hidden: Mapping[str, Path]) -> dict[str, tuple[str, State | None]]:
    """Return path and state of the files that are a distribution's code, by name; no state where one is missing.

    Of what is ``required``, files that are listed and never run are left out, and those that are not listed and that
    nothing would load. What hides modules counts with them.
    """
    paths, folder = dict[str, str](), f"{copy.folder}/"
    if not copy.roots:
        paths = dict(_listed_code(copy, required))
        for own in () if required else copy.own_folders:
            parent = own.rpartition("/")[0]
            paths |= {f"{parent}/{name}".lstrip("/"): path for name, path in files_below(f"{folder}{own}")}
        paths |= dict(unlisted_code(copy, paths, _list_written(copy))) if required else {}
    for root in copy.roots:
        for name, path in files_below(str(root)):
            # Of modules with one name, from several folders, each counts.
            paths.setdefault(name if paths.get(name, path) == path else f"{root.parent.name}/{name}", path)
    if required and normalised(copy.name) == HARNESS:
        paths = {name: path for name, path in paths.items() if name.startswith(_IN_CELLS)}
    for module, root in hidden.items():
        paths |= {f"{_IN_PLACE_OF}{module}/{name}": path for name, path in files_below(str(root))}
    return {name: (path, state_of(path)) for name, path in paths.items()}


@cache
def _listed_code(copy: Copy, required: bool) -> Mapping[str, str]:
    """Return paths by name, as texts: of large libraries there are ten thousand, looked at after every cell."""
    folder = f"{copy.folder}/"
    return {
        name: f"{folder}{name}"
        for name in copy.listed or ()
        if not (required and (name.endswith(_NEVER_RUN) or "/tests/" in name))
    }


def _list_written(copy: Copy) -> int:
    """Return when a distribution's list of files was last touched (ns), zero where it has none."""
    record = state_of(copy.info / "RECORD")
    return record[2] if record else 0


def _as_listed(entry: Listed, state: State, list_written: int) -> bool:
    """Whether a file has the listed size, and nobody has touched it since its installer wrote the list, at the end."""
    return entry.startswith("sha256=") and entry.endswith(f",{state[0]}") and written_before(state, list_written)


def _content(digests: FileDigests, path: str) -> str:
    """Return the digest of a file as RECORD would list it."""
    try:
        digest = digests.of(path)
    except OSError:
        return "unreadable"
    if path.endswith(".py"):
        _forget_compiled(path)
    return urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()


def _forget_compiled(source: str) -> None:
    """Remove a compiled module that is older than its source.

    Python compares size and seconds of modification alone, and would go on running the old code of a source that was
    replaced by a copy with both.
    """
    compiled = Path(cache_from_source(source))
    before, after = state_of(compiled), state_of(source)
    if before is not None and after is not None and before[2] <= after[2]:
        with suppress(OSError):
            compiled.unlink()


def _written(before: State | None, after: State | None) -> bool:
    """Whether a file was written to or replaced; a change of rights, or another link to it, is neither."""
    if before is None or after is None:
        return before != after
    return (*before[:2], before[3]) != (*after[:2], after[3])


def _hidden_remark(whose: str, hidden: Sequence[str]) -> Remark:
    text = f"modules of {whose} are hidden by others of the same name, earlier on the import path"
    return "hidden-code", f"{text}: {_some(hidden)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
