"""Import of plugin classes, and versions of the libraries they require.

Worker processes import this module, so it needs the standard library alone.
"""

from __future__ import annotations

import _imp
import importlib
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from typing import Any

from cfbench.errors import PluginError, SpecError
from cfbench.spec import Value

# A requirement begins with its name; those of an extra end in a marker that names the extra.
_REQUIREMENT_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_OF_AN_EXTRA = re.compile(r";.*\bextra\s*==")


def load_class(value: str, who: str) -> type[Any]:
    """Import ``package.module:Class``; whatever the import raises, but KeyboardInterrupt, becomes a PluginError.

    Args:
        value: the class, as entry points name it.
        who: whose class it is, for messages.
    """
    module, _, attribute = value.partition(":")
    # Compiled modules that say that they need not be held against their sources are held against them all the same.
    _imp.check_hash_based_pycs = "always"
    try:
        loaded = getattr(importlib.import_module(module), attribute)
    except KeyboardInterrupt:  # which may be the user's
        raise
    except BaseException as error:  # a plugin may fail in any way; the run must go on
        raise PluginError(f"{who} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(loaded, type):
        raise PluginError(f"{who}: {value} is a {type(loaded).__name__}, expected a class")
    return loaded


def instantiate(cls: type[Any], params: Mapping[str, Value], who: str) -> Any:
    """Make an instance; a ValueError or TypeError about its parameters becomes a SpecError naming ``who``."""
    try:
        return cls(**params)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{who}: {error}") from error


def library_versions(distribution: str) -> dict[str, str]:
    """Return the installed versions of numpy and of what ``distribution`` requires, by normalized name, sorted.

    Requirements of extras are left out, and so is what cannot be found: a model may have emptied the import path.
    """
    requirements: list[str] = []
    with suppress(metadata.PackageNotFoundError):
        requirements = metadata.requires(distribution) or []
    matches = [_REQUIREMENT_NAME.match(text) for text in requirements if not _OF_AN_EXTRA.search(text)]
    versions = {}
    for name in {"numpy", *(match[1] for match in matches if match)}:
        with suppress(metadata.PackageNotFoundError):
            versions[re.sub(r"[-_.]+", "-", name).lower()] = metadata.version(name)
    return dict(sorted(versions.items()))
