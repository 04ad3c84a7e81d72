"""The consoles that commands print to."""

from __future__ import annotations

from rich.console import Console

_PAGE = 140  # columns where the output is a file or a pipe


def output() -> Console:
    """Return standard output: the terminal's width, or a wide page where there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_PAGE)


def messages() -> Console:
    """Return standard error, for progress and remarks, so that standard output holds results only."""
    return Console(stderr=True)
