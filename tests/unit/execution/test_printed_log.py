"""What a cell prints is kept from its beginning and its end, up to a bound."""

from contextlib import closing
from pathlib import Path

import pytest

from cfbench.execution.outcome_file import tail_of
from cfbench.execution.printed_log import PrintedLog


def test_short_output_is_kept_whole_behind_what_is_there(tmp_path):
    (tmp_path / "log").write_text("server\n")
    with closing(PrintedLog(tmp_path / "log")) as log:
        log.write(b"one\n")
        assert (tmp_path / "log").read_text() == "server\none\n"  # at once, so that it can be followed
        log.write(b"two\n")
    assert (tmp_path / "log").read_text() == "server\none\ntwo\n"


def test_long_output_keeps_its_beginning_and_its_end_and_says_how_much_is_missing(tmp_path):
    with closing(PrintedLog(tmp_path / "log")) as log:
        for number in range(7_000):
            log.write(b"%0999d\n" % number)
    text = (tmp_path / "log").read_bytes()
    assert text.startswith(b"%0999d\n%0999d\n" % (0, 1))
    assert text.endswith(b"%0999d\n%0999d\n" % (6998, 6999))
    assert b"[... %d bytes are left out here ...]" % (7_000_000 - (4 << 20) - (64 << 10)) in text
    assert len(text) < 4.4e6


def test_the_tail_is_the_last_lines_of_bounded_length(tmp_path):
    (tmp_path / "log").write_bytes(b"\n".join(b"line %d" % n for n in range(100)) + b"\n\xff\n")
    lines = tail_of(tmp_path / "log").splitlines()
    assert len(lines) == 20
    assert lines[-2:] == ["line 99", "\ufffd"]
    (tmp_path / "log").write_text("x" * 100_000)
    assert len(tail_of(tmp_path / "log")) == 2000
    assert tail_of(tmp_path / "none") == ""


def test_a_full_disk_costs_the_log_and_nothing_else():
    full = Path("/dev/full")  # a device that has no room, ever
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with closing(PrintedLog(full)) as log:
        log.write(b"x" * (5 << 20))
