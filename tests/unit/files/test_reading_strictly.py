"""Strict JSON, plain files, confined paths and harmless text: what stands between files of others and the rest."""

from __future__ import annotations

import os

import pytest

from cfbench.data.sources import text_file
from cfbench.errors import DataError, StoreError
from cfbench.files.atomic import confined
from cfbench.files.guarded_reading import parse_json, read_plain, require_shallow
from cfbench.files.printable import escaped_json, printable, printable_line
from cfbench.reporting.csv_files import inert


def test_json_is_read_as_it_stands():
    told = b'{"a": [1, -2.5, "\\u00e9", null, true], "b": {"c": 9223372036854775807}}'
    assert parse_json(told) == {"a": [1, -2.5, "é", None, True], "b": {"c": 2**63 - 1}}
    assert parse_json('"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("1e999", "beyond what a float can hold"),
        ("9223372036854775808", "64 bits"),
        ("9" * 5_000, "64 bits"),
        ('{"a": 1, "a": 2}', "twice"),
        ('"\\ud83d"', "half of a character"),
        ("[" * 100_000, "too deeply"),
        ("[" * 40 + "]" * 40, "too deeply"),
        (b"\xff", "utf-8"),
        ("", "Expecting value"),
    ],
)
def test_what_would_fail_far_from_here_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_json(text)


def test_nesting_is_allowed_as_deep_as_ours():
    inside: object = 1
    for _ in range(30):
        inside = [inside]
    require_shallow(inside)
    with pytest.raises(ValueError, match="too deeply"):
        require_shallow([inside])


def test_a_file_is_read_up_to_its_bound(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_plain(path, 5) == b"12345"
    with pytest.raises(OSError, match="more than 0 MiB"):
        read_plain(path, 4)


def test_devices_pipes_and_folders_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path):
        with pytest.raises(OSError, match="no plain file"):
            read_plain(path, 100)


def test_a_path_stays_inside_unless_a_folder_on_the_way_leads_out(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (root / "inner").symlink_to(root / "real")
    (root / "outer").symlink_to(outside)
    (root / "file").symlink_to(outside / "file")
    assert confined(root, "real", "x") == root / "real" / "x"
    assert confined(root, "inner", "x") == root / "inner" / "x"
    assert confined(root, "file") == root / "file"  # the link itself is replaced
    with pytest.raises(StoreError, match=r"outer is a link that leads out of .*root"):
        confined(root, "outer", "x")


def test_a_root_that_is_a_link_itself_is_the_users_own_choice(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    assert confined(tmp_path / "runs", "cells", "x") == tmp_path / "runs" / "cells" / "x"


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\ud800"])
def test_characters_that_are_obeyed_are_replaced(char):
    assert printable(f"a{char}b") == printable_line(f"a{char}b") == "a\ufffdb"
    assert escaped_json(f'"a{char}b"') == f'"a\\u{ord(char):04x}b"'


def test_line_ends_and_tabs_are_kept_where_lines_are():
    assert printable("a\n\tb é 中 🙂") == "a\n\tb é 中 🙂"
    assert printable_line("a\n\tb") == "a\ufffd\ufffdb"


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd", "-cmd|' /C calc'!A0", "  =1", "-"])
def test_formulas_are_shown_as_text_in_spreadsheets(text):
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+3.5", "-1e-3", "svd", "a=b", "'quoted'", "", -0.5, 7, None, True])
def test_numbers_and_plain_text_stay_as_they_are(value):
    assert inert(value) is value or inert(value) == value


def test_one_huge_text_does_not_make_all_of_them_huge(monkeypatch):
    monkeypatch.setattr(text_file, "_MOST_CHARACTERS", 1 << 14)
    assert text_file.texts(["a", "b" * 2_000], "a field").tolist() == ["a", "b" * 2_000]
    with pytest.raises(DataError, match=r"a field has 20,000 characters, and as many are set aside for each of 2"):
        text_file.texts(["a", "b" * 20_000], "a field")
