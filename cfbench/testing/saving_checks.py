"""Rules on models that can be saved."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.errors import CfbenchError
from cfbench.model.protocols import Embeddings
from cfbench.model.saving import save_parts
from cfbench.testing.check import Rule
from cfbench.testing.cold_start_checks import codes_with
from cfbench.testing.example_ratings import described_newcomers, described_ratings
from cfbench.testing.model_under_test import ModelUnderTest, answers, answers_to

_ARRAYS = {".npz", ".npy", ".safetensors"}


def _answers_alike_when_loaded(subject: ModelUnderTest) -> None:
    train = described_ratings()
    model = subject.fitted(train)
    before = answers(model, train)
    loaded = _loaded(subject, model)
    _require_the_same(subject, before, answers(model, train), "save changes later answers; only write, never learn")
    _require_the_same(subject, before, answers(loaded, train), "a loaded model answers otherwise than the saved one")


def _meets_newcomers_when_loaded(subject: ModelUnderTest) -> None:
    train, cold_entities = described_ratings(), described_newcomers()
    model = subject.fitted(train)
    loaded = _loaded(subject, model)
    codes = codes_with(train.n_users, cold_entities[0]), codes_with(train.n_items, cold_entities[1])
    for one in (model, loaded):
        one.add_cold_entities(*cold_entities)
    _require_the_same(
        subject,
        answers_to(model, *codes),
        answers_to(loaded, *codes),
        "a loaded model answers otherwise than the saved one after add_cold_entities",
    )


def _keeps_parameters(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    loaded = _loaded(subject, model)
    for parameter in (field.name for field in dataclasses.fields(model) if field.init):
        before, after = getattr(model, parameter), getattr(loaded, parameter)
        subject.require(
            after == before and type(after) is type(before),
            f"has {parameter}={before!r} when it is saved and {after!r} when it is loaded; save the parameters too "
            "(JSON makes lists of tuples)",
        )


def _shows_the_same_embeddings(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    shown, again = (_arrays_of(one.embeddings()) for one in (model, _loaded(subject, model)))
    _require_the_same(subject, shown, again, "a loaded model shows other embeddings than the saved one")


def _writes_arrays_and_json(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        files = _files(Path(folder))
        subject.require(bool(files), "save wrote no file")
        for file in files:
            subject.require(
                file.suffix in _ARRAYS | {".json"},
                f"save wrote {file.name}; write arrays ({', '.join(sorted(_ARRAYS))}) and .json, never pickle: "
                "cfbench.model.saving.save_parts does",
            )
            _require_readable(subject, file)


def _require_readable(subject: ModelUnderTest, file: Path) -> None:
    """Demand that numpy and json can read a file without unpickling anything."""
    try:
        if file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
        elif file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                _ = dict(arrays)
        elif file.suffix == ".npy":
            np.load(file, allow_pickle=False)
    except ValueError as error:
        subject.require(False, f"save wrote {file.name}, which cannot be read without pickle, or at all: {error}")


def _refuses_damage(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        for file in _files(Path(folder)):
            whole = file.read_bytes()
            middle = len(whole) // 2
            for what, data in (
                ("with an altered byte", whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]),
                ("cut in half", whole[:middle]),
            ):
                file.write_bytes(data)
                _require_refused(subject, model, Path(folder), f"{file.name} {what}")
            file.unlink()
            _require_refused(subject, model, Path(folder), f"a folder without {file.name}")
            file.write_bytes(whole)


def _refuses_strangers(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    with tempfile.TemporaryDirectory() as folder:
        _require_refused(subject, model, Path(folder), "an empty folder")
        save_parts(Path(folder), "nobody.nothing.1", {"numbers": np.zeros(3)})
        _require_refused(subject, model, Path(folder), "what another kind of model saved")


def _require_refused(subject: ModelUnderTest, model: Any, folder: Path, what: str) -> None:
    advice = "refuse it with an error of cfbench.errors that says so: cfbench.model.saving.load_parts does"
    try:
        type(model).load(folder)
    except CfbenchError:
        return
    except Exception as error:
        raise AssertionError(f"{subject.name}: load meets {what} with {type(error).__name__}: {error}; {advice}") from (
            error
        )
    subject.require(False, f"load takes {what}; {advice}")


def _loaded(subject: ModelUnderTest, model: Any) -> Any:
    """Save a model and load it; the files are gone when it is asked."""
    subject.require(
        callable(getattr(type(model), "load", None)),
        "has save, but no load; define the class method load(cls, directory) beside it",
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return type(model).load(Path(folder))


def _require_the_same(subject: ModelUnderTest, before: dict[str, Any], after: dict[str, Any], advice: str) -> None:
    """Demand answers equal to the bit, NaN equalling NaN."""
    for name, answer in before.items():
        other = after.get(name)
        subject.require(
            other is not None and other.dtype == answer.dtype and np.array_equal(answer, other, equal_nan=True),
            f"{advice} ({name}); to the bit means that every array is saved in its own precision and order",
        )


def _arrays_of(embeddings: Embeddings) -> dict[str, Any]:
    parts = {field.name: getattr(embeddings, field.name) for field in dataclasses.fields(embeddings)}
    return {name: np.asarray(part) for name, part in parts.items() if part is not None}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


RULES = (
    Rule("a loaded model answers as the saved one did, to the bit", _answers_alike_when_loaded, ("saves",)),
    Rule("a loaded model has the parameters of the saved one", _keeps_parameters, ("saves",)),
    Rule(
        "a loaded model meets newcomers as the saved one does, to the bit",
        _meets_newcomers_when_loaded,
        ("saves", "cold-entities"),
    ),
    Rule(
        "a loaded model shows the embeddings of the saved one, to the bit",
        _shows_the_same_embeddings,
        ("saves", "embeddings"),
    ),
    Rule("saved files are arrays and JSON, never pickle", _writes_arrays_and_json, ("saves",)),
    Rule("saved files that are damaged or missing are refused", _refuses_damage, ("saves",)),
    Rule("folders that another kind of model saved, or nobody, are refused", _refuses_strangers, ("saves",)),
)
