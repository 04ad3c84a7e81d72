"""Durations and sizes as people write them."""

import pytest

from cfbench.cli.option_types import seconds, size
from cfbench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("0.5", 0.5), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("2D", 172800)]
)
def test_durations(text, value):
    assert seconds("--timeout", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4GiB", 4 * 2**30),
        ("4 GB", 4 * 10**9),
        ("500m", 500 * 10**6),
        ("1.5g", 1_500_000_000),
        ("25%", 2_000_000_000),
        ("2097152", 2097152),
    ],
)
def test_sizes_and_shares_of_the_whole(text, value):
    assert size("--memory-limit", text, 8_000_000_000) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "1h30", "nan", "1e3", "10 minutes"])
def test_what_is_no_duration_is_told_with_examples(text):
    with pytest.raises(UsageError, match=r"--timeout .*such as 90s, 15m"):
        seconds("--timeout", text)


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "4", "0%", "4GBit", "inf"])
def test_what_is_no_size_is_told_with_examples(text):
    with pytest.raises(UsageError, match=r"--memory-limit .*such as 500MB"):
        size("--memory-limit", text, 8_000_000_000)


@pytest.mark.parametrize("text", ["101%", "200 %", "1000%"])
def test_more_than_the_whole_is_refused(text):
    with pytest.raises(UsageError, match=r"--memory-limit .*no more than 100% .* such as 80%"):
        size("--memory-limit", text, 8_000_000_000)


def test_all_of_it_is_allowed():
    assert size("--memory-limit", "100%", 8_000_000_000) == 8_000_000_000
