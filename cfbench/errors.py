"""Exceptions that cfbench raises on purpose, in one tree.

::

    CfbenchError
    ├── UsageError            a request that cannot be carried out; the command line exits with 2
    │   ├── SpecError         a malformed NAME[param=value] or suite file
    │   ├── UnknownNameError  no such model, dataset, splitter, metric, parameter
    │   ├── DataError         unreadable or invalid rating data
    │   └── DataNotFoundError data that is neither at hand nor downloadable
    └── RunError              something failed while running; exits with 1
        ├── PluginError       a plugin cannot be loaded
        ├── ModelError        a model broke its contract (shape, dtype, infinity ...)
        └── StoreError        a results folder that cannot be read or written

Facades such as :mod:`cfbench.model` re-export those that plugins raise. A message says who, what was expected, what
came, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CfbenchError(Exception):
    """Base of all errors raised on purpose; catching it catches no bug."""

    exit_code = 1


class UsageError(CfbenchError):
    """The request cannot be carried out as it was written."""

    exit_code = 2


class SpecError(UsageError):
    """A malformed ``NAME[param=value]`` text or suite file."""


class UnknownNameError(UsageError):
    """A name that is not registered; the message offers the nearest ones."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], advice: str = "") -> UnknownNameError:
        """Build the error for ``name`` of ``kind``, suggesting close matches out of ``known``."""
        names = sorted(known)
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        if close:
            hint = f"did you mean {' or '.join(repr(match) for match in close)}?"
        else:
            hint = f"known: {', '.join(names) if names else 'none'}" + ("." if advice else "")
        return cls(f"unknown {kind} {name!r}; {hint}" + (f" {advice}" if advice else ""))


class DataError(UsageError):
    """Rating data that cannot be read or breaks a rule; names file, row and remedy."""


class DataNotFoundError(UsageError):
    """Data that is neither in a named folder nor in the cache nor downloadable."""


class RunError(CfbenchError):
    """A failure while running, after the request itself was understood."""


class PluginError(RunError):
    """A plugin that cannot be loaded or does not honour its entry point."""


class ModelError(RunError):
    """A model that broke its contract."""


class StoreError(RunError):
    """A results folder that cannot be read or written."""
