"""A run's tables as files."""

from __future__ import annotations

from cfbench.report.files import write_report


def test_what_a_killed_writer_left_half_written_goes_with_the_next_one(tmp_path):
    (tmp_path / ".table.md.deadbeef.cfbench").write_text("# half")
    written = write_report(tmp_path, [])
    assert {*tmp_path.iterdir()} == {*written}
