"""What the encoding of a terminal lacks is written as something else, and never ends the program."""

from __future__ import annotations

import io
import sys

import pytest

from cfbench.files.printable import stand_in_for_what_streams_lack


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("ascii", "1.4013 \u2248 \u2020 \u2500", "1.4013 ~ + -"),
        ("latin-1", "Am\xe9lie \u2248 \u221e", "Am\xe9lie ~ inf"),
        ("ascii", "Am\xe9lie \u96e8 \ud800", "Amelie ? ?"),
        ("utf-8", "Am\xe9lie \u2248", "Am\xe9lie \u2248"),
    ],
)
def test_a_character_that_a_stream_lacks(monkeypatch, encoding, text, written):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    stand_in_for_what_streams_lack()
    sys.stdout.write(text)
    sys.stdout.flush()
    assert raw.getvalue().decode(encoding) == written
