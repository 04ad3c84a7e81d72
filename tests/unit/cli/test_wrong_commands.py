"""Command lines that cannot be read: what was wrong, and what to type instead."""

import pytest

from cfbench.cli import main


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run --timeout -5s", "requires an argument. One that begins with '-' is written as --timeout=VALUE."),
        ("run --timeout=-5s", "--timeout '-5s': expected a time above 0, such as 90s, 15m"),
        ("doctor foo", "`cfbench doctor` does not take 'foo'. `cfbench doctor --help` shows"),
        ("report --format pdf", "Unknown option: --format. `cfbench report --help` shows"),
        ("report", "FOLDER requires an argument. `cfbench report --help` shows"),
        ("run missing.toml", "No such file or directory; give the path of a suite file, or the name of a shipped one"),
        ("run --memory-limit 200%", "no more than 100% of the memory"),
        ("data describe", "`cfbench data describe --help` shows"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_what_to_type(capsys, tmp_path, monkeypatch, line, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1
