import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.data.sources.plain_numbers import short_numbers


def read(*texts):
    numbers, characters = short_numbers(np.array(texts, dtype="S8"))
    return numbers.tolist(), characters


def test_numbers_come_with_the_count_of_their_characters():
    assert read(b"5", b"4.5", b"5", b".25", b"3.", b"0123456") == (
        [5.0, 4.5, 5.0, 0.25, 3.0, 123456.0],
        1 + 3 + 1 + 3 + 2 + 7,
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"1/2", b"-1", b"+1", b" 1", b"1e3", b"nan", b"inf", b".", b"1.2.3", b"12345678", b"1_0", b"\xd9\xa1"],
)
def test_what_is_no_plain_number_is_refused(text):
    for texts in ([text], [b"1", text], [text, b"1"]):
        with pytest.raises(ValueError, match=r".+"):
            read(*texts)


def test_no_texts_at_all_are_refused():
    with pytest.raises(ValueError, match="missing"):
        read()


def test_more_distinct_texts_than_the_table_has_slots_are_read():
    wanted = np.random.default_rng(1).permutation(200_000)
    numbers, characters = short_numbers(wanted.astype("S8"))
    assert np.array_equal(numbers, wanted.astype(np.float32))
    assert characters == sum(map(len, map(str, wanted)))


@given(st.lists(st.from_regex(r"[0-9]{1,3}(\.[0-9]{0,3})?", fullmatch=True).map(str.encode), min_size=1))
def test_any_short_numbers_are_rounded_as_python_rounds_them(texts):
    assert read(*texts) == ([float(np.float32(float(text))) for text in texts], sum(map(len, texts)))
