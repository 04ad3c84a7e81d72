"""The consoles that commands print to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from cfbench.printable import printable

_PAGE = 140  # columns where the output is a file or a pipe


class _Output(Console):
    """A console whose reader may leave: that is told, where rich would end the program with an error."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def output() -> Console:
    """Return standard output: the terminal's width, or a wide page where there is no terminal."""
    console = _Output()
    return console if console.is_terminal else _Output(width=_PAGE)


@contextmanager
def until_the_reader_leaves() -> Iterator[None]:
    """Print as long as somebody reads: a pager that was closed, say, is no error and stops nothing else."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """Print a remark on standard error; names from plugins, data and results folders are shown there, never obeyed."""
    print(printable(text), file=sys.stderr)


def messages() -> Console:
    """Return standard error, for progress and remarks, so that standard output holds results only."""
    return Console(stderr=True)
