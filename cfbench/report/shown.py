"""Text from plugins, data and files on a terminal."""

from __future__ import annotations

from rich.text import Text

from cfbench.printable import printable_line


def shown(text: str, style: str = "") -> Text:
    """Make ``text`` harmless on a terminal: it is shown, never obeyed, markup included, and stays one line."""
    return Text(printable_line(text), style=style)
