"""Suite files and component texts of any content: read, or refused with an error of ours."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfbench.errors import CfbenchError, SpecError
from cfbench.experiment.suite import Suite
from cfbench.spec import Spec

VALID = """
name = "mine"
description = "a suite"
datasets = ["ml-100k", { name = "synthetic", seed = 3 }]
splits = ["kfold[k=5]"]
models = ["bias", "dot[layers=[9,8]]"]
metrics = ["RMSE", "NDCG@10"]
seed = 7
repeats = 2

[[expected]]
metric = "RMSE"
source = "a paper"
tolerance = 0.01
published = { "bias" = 0.9 }
"""

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -1, 10**400])
    | st.floats()
    | st.text(max_size=20)
)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_bytes(content)
        for reading in (Suite.read, Suite.read_json):
            with contextlib.suppress(CfbenchError):
                suite = reading(path)
                assert Suite.check(suite.model_dump(), "again") == suite


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a = " + b"[" * 100_000)
@example(b"[" * 100_000 + b"]" * 100_000)
@example(b'{"a":' * 50_000)
@example(b"a" + b".a" * 50_000 + b" = 1")
@example(b"seed = " + b"9" * 5_000)
@example(b'name = "mine"\nmodels = [' + b'"a",' * 100_000 + b"]")
@example(b'{"name": "a", "datasets": ["d"], "models": ["\\ud800"]}')
@example(b'{"name": "a", "name": "b"}')
@example(b'{"seed": NaN}')
@example(b"\xef\xbb\xbfname = 1")
def test_any_bytes_are_a_suite_or_refused(content):
    read(content)


@settings(max_examples=200)
@given(
    st.integers(0, len(VALID)),
    st.integers(0, 20),
    st.sampled_from(["", "\0", '"', "[", "]]", "{", "=", "\n", "1e999", "inf", "1979-05-27", "é", "\\u0000", "9" * 30]),
)
def test_a_damaged_suite_is_read_or_refused(start, length, put):
    read((VALID[:start] + put + VALID[start + length :]).encode())


FIELDS = list(Suite.model_fields)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), NESTED, max_size=4))
def test_any_values_of_a_suites_keys_are_taken_or_refused(content):
    base = {"name": "mine", "datasets": ["d"], "models": ["m"]}
    try:
        suite = Suite.check({**base, **content}, "here")
    except SpecError as error:
        told = str(error)
        assert "here" in told
    else:
        assert Suite.model_validate_json(suite.model_dump_json()) == suite


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text('[]=,"\\{}: a1.e-', max_size=60))
@example("a[" + "[" * 4_000)
@example('a[x="' + '\\"' * 4_000)
@example("a" + " " * 9_000 + "b[")
@example("a[x=" + "1" * 6_000 + "]")
def test_any_text_is_a_spec_or_refused(text):
    for parse in (lambda given: [Spec.parse(given)], Spec.parse_many):
        try:
            specs = parse(text)
        except SpecError:
            continue
        assert all(Spec.parse(str(spec)) == spec for spec in specs)


def test_a_suite_that_is_no_plain_file_is_refused(tmp_path):
    with pytest.raises(CfbenchError, match="no plain file"):
        Suite.read(tmp_path)
    with pytest.raises(CfbenchError, match="no plain file"):
        Suite.read(Path("/dev/zero"))
