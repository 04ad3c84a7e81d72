"""A run's tables as files."""

from __future__ import annotations

import pytest

from cfbench.reporting.run_report import write_report


def test_what_a_killed_writer_left_half_written_goes_with_the_next_one(tmp_path):
    (tmp_path / ".table.md.deadbeef.cfbench").write_text("# half")
    written = write_report(tmp_path, [])
    assert {*tmp_path.iterdir()} == {*written}


@pytest.mark.parametrize("drawing", [True, False])
def test_pictures_of_earlier_tables_go_where_pictures_can_be_drawn(tmp_path, monkeypatch, drawing):
    monkeypatch.setattr("cfbench.reporting.run_report.can_draw", lambda: drawing)
    for name in ("curve-1.svg", "ranks-12.svg", "curve-of-mine.svg"):
        (tmp_path / name).write_text("<svg/>")
    write_report(tmp_path, [])
    assert (tmp_path / "curve-of-mine.svg").exists()
    assert (tmp_path / "curve-1.svg").exists() == (tmp_path / "ranks-12.svg").exists() == (not drawing)
