"""Reading and writing NAME[param=value,...]."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.errors import SpecError
from cfbench.spec import Spec

WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = SCALARS | st.lists(SCALARS, max_size=3).map(tuple)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]*", fullmatch=True)


def test_values_are_json_where_they_parse_as_json_and_text_otherwise():
    spec = Spec.parse("nn[layers=[100,50], weight_decay=0.1,y_range=scale, patience=null,bias=true,n=5]")
    assert spec.name == "nn"
    assert dict(spec.params) == {
        "layers": (100, 50),
        "weight_decay": 0.1,
        "y_range": "scale",
        "patience": None,
        "bias": True,
        "n": 5,
    }


def test_the_canonical_text_has_sorted_parameters():
    assert str(Spec.parse("dot[epochs=3,batch_size=64]")) == "dot[batch_size=64,epochs=3]"


def test_a_name_alone_needs_no_brackets():
    assert str(Spec.parse(" dot ")) == "dot"
    assert str(Spec.parse("dot[]")) == "dot"


def test_several_specs_are_separated_by_commas_outside_brackets():
    assert [str(spec) for spec in Spec.parse_many("dot,nn[layers=[9,8],epochs=1],svd")] == [
        "dot",
        "nn[epochs=1,layers=[9,8]]",
        "svd",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("dot[3]", "param=value"), ("dot[a=1,a=2]", "twice"), ("[a=1]", "NAME"), ("dot[a=1", "NAME"), ("", "NAME")],
)
def test_malformed_text_is_refused_with_the_part_at_fault(text, complaint):
    with pytest.raises(SpecError, match=complaint):
        Spec.parse(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dot[a=9223372036854775808]", "64 bits"),
        ("dot[a=1e999]", "finite"),
        ('dot[a="\\u0000"]', "text"),
        ("do\0t", "no name"),
        ("dot[\udcff=1]", "no name"),
        ("dot" * 10_000, "30,000 characters"),
    ],
)
def test_what_nothing_could_take_is_refused(text, complaint):
    with pytest.raises(SpecError, match=complaint):
        Spec.parse(text)


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 4_000 + "]" * 4_000])
def test_what_the_json_reader_chokes_on_is_text(value):
    assert Spec.parse(f"dot[a={value}]").params["a"] == value


def test_nested_values_are_refused():
    with pytest.raises(SpecError, match="flat list"):
        Spec.parse("dot[a=[[1]]]")


@given(name=NAMES, params=st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_written_reads_back_equal(name, params):
    spec = Spec(name, params)
    assert Spec.parse(str(spec)) == spec
