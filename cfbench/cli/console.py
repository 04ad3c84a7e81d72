"""Consoles that commands print to."""

from __future__ import annotations

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cfbench.files.printable import printable

_PAGE = 140  # columns where the output is a file or a pipe


class _Output(Console):
    """A console whose reader may leave: rich would end the program, here BrokenPipeError is raised."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def output() -> Console:
    """Return standard output: the terminal's width, or a wide page where there is no terminal."""
    console = _Output()
    return console if console.is_terminal else _Output(width=_PAGE)


def tell(text: str) -> None:
    """Print a message on standard error; control characters in names of plugins, data or folders have no effect."""
    print(printable(text), file=sys.stderr)


def complain(text: str) -> None:
    """Print a message on standard error that begins with ``cfbench:``."""
    tell(f"cfbench: {text}")


def listing(title: Text, *columns: str) -> Table:
    """Return an empty table of texts, all of which stay readable on a narrow terminal."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    return table


def messages() -> Console:
    """Return standard error, for progress and messages, so that standard output holds results only."""
    return Console(stderr=True)
