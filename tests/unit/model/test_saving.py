"""A saved model comes back to the bit, or is refused."""

import json
import tracemalloc

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.model.saving import load_parts, save_parts

KIND = "test.model.1"
ARRAYS = {"factors": np.array([[0.1, -2.5]], dtype=np.float32), "names": np.array(["ä", ""])}
FACTS = {"mean": 0.1 + 0.2, "sizes": [1, 2], "range": None}


@pytest.fixture
def saved(tmp_path):
    save_parts(tmp_path, KIND, ARRAYS, FACTS)
    return tmp_path


def test_arrays_and_facts_come_back_to_the_bit(saved):
    arrays, facts = load_parts(saved, KIND)
    assert facts == FACTS
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)


def test_whatever_arrays_are_called_none_is_taken_for_another(tmp_path):
    save_parts(tmp_path, KIND, {"column.a": np.zeros(1), "column.a.npy": np.ones(2), "column./../b": np.ones(3)})
    found, _ = load_parts(tmp_path, KIND)
    assert {name: array.tolist() for name, array in found.items()} == {
        "column.a": [0],
        "column.a.npy": [1, 1],
        "column./../b": [1, 1, 1],
    }


def test_the_same_model_is_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_parts(tmp_path / name, KIND, ARRAYS, FACTS)
    for file in ("model.npz", "model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_changed_byte_of_the_arrays_is_refused(saved):
    data = bytearray((saved / "model.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (saved / "model.npz").write_bytes(data)
    with pytest.raises(StoreError, match=r"model\.npz is not the file .* save the model again"):
        load_parts(saved, KIND)


def test_a_changed_fact_is_refused(saved):
    path = saved / "model.json"
    seal = json.loads(path.read_text())
    seal["facts"]["mean"] = 5.0
    path.write_text(json.dumps(seal))
    with pytest.raises(StoreError, match="altered"):
        load_parts(saved, KIND)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"facts": 3, "arrays_sha256": ""}', "\udcff"])
def test_what_is_no_description_is_refused(saved, text):
    (saved / "model.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StoreError, match=r"model\.json"):
        load_parts(saved, KIND)


def test_a_fact_that_json_has_no_word_for_is_refused(saved):
    path = saved / "model.json"
    path.write_text(path.read_text().replace("null", "NaN"))
    with pytest.raises(StoreError, match="NaN is no JSON"):
        load_parts(saved, KIND)


def test_another_models_files_are_refused(saved):
    with pytest.raises(StoreError, match=r"describes 'test\.model\.1', expected 'test\.model\.2'"):
        load_parts(saved, "test.model.2")


@pytest.mark.parametrize("file", ["model.npz", "model.json"])
def test_a_missing_file_is_named(saved, file):
    (saved / file).unlink()
    with pytest.raises(StoreError, match=file):
        load_parts(saved, KIND)


def test_objects_are_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"'odd' .* holds Python objects"):
        save_parts(tmp_path, KIND, {"odd": np.array([{}], dtype=object)})


def test_numbers_that_json_cannot_say_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        save_parts(tmp_path, KIND, {}, {"mean": float("nan")})


def test_numbers_that_could_not_be_read_back_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="64 bits"):
        save_parts(tmp_path, KIND, {}, {"state": 2**100})


def test_arrays_of_any_size_are_written_without_a_copy_in_memory(tmp_path):
    large = np.zeros(1 << 26, dtype=np.uint8)
    tracemalloc.start()
    try:
        save_parts(tmp_path, KIND, {"similarities": large})
        assert tracemalloc.get_traced_memory()[1] < large.nbytes / 2
    finally:
        tracemalloc.stop()
