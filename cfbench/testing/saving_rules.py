"""Rules on saved models: what they load as, what their files are, and which files they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cfbench.errors import CfbenchError
from cfbench.model import Ratings, save_parts
from cfbench.testing.model_checks import (
    ModelUnderTest,
    all_codes,
    all_outputs,
    cold_entities,
    described_ratings,
    model_rule,
    outputs,
)

_ARRAYS = (".npy", ".npz", ".safetensors")


@model_rule("a loaded model gives the output of the saved one, to the bit", "saves")
def _outputs_are_kept(subject: ModelUnderTest) -> None:
    train = described_ratings()
    model = subject.fitted(train)
    before = all_outputs(model, train)
    loaded = _loaded(subject, model)
    _require_identical(subject, before, all_outputs(model, train), "save changes later output; only write, never learn")
    advice = "a loaded model gives another output than the saved one"
    _require_identical(subject, before, all_outputs(loaded, train), advice)


@model_rule("a loaded model has the parameters of the saved one", "saves")
def _parameters_are_kept(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    loaded = _loaded(subject, model)
    for parameter, before in subject.parameters(model).items():
        after = getattr(loaded, parameter)
        case = f"has {parameter}={before!r} when it is saved and {after!r} when it is loaded"
        advice = "save the parameters too (JSON makes lists of tuples)"
        subject.require(after == before and type(after) is type(before), f"{case}; {advice}")


@model_rule("a loaded model takes cold-start entities as the saved one does, to the bit", "saves", "cold-entities")
def _cold_entities_after_loading(subject: ModelUnderTest) -> None:
    train, features = described_ratings(), cold_entities()
    model = subject.fitted(train)
    loaded = _loaded(subject, model)
    for one in (model, loaded):
        one.add_cold_entities(*features)
    before, after = (outputs(one, *all_codes(train, *features)) for one in (model, loaded))
    advice = "a loaded model gives another output than the saved one after add_cold_entities"
    _require_identical(subject, before, after, advice)


@model_rule("a loaded model has the embeddings of the saved one, to the bit", "saves", "embeddings")
def _embeddings_are_kept(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    before, after = (
        {name: np.asarray(part) for name, part in vars(one.embeddings()).items() if part is not None}
        for one in (model, _loaded(subject, model))
    )
    _require_identical(subject, before, after, "a loaded model has other embeddings than the saved one")


@model_rule("saved files are arrays and JSON, never pickle", "saves")
def _files_are_arrays_and_json(subject: ModelUnderTest) -> None:
    with _saved(subject) as (_, _, files):
        subject.require(files, "save wrote no file")
        for file in files:
            advice = f"write arrays ({', '.join(_ARRAYS)}) and .json, never pickle: cfbench.model.save_parts does"
            subject.require(file.suffix in (*_ARRAYS, ".json"), f"save wrote {file.name}; {advice}")
            try:
                if file.suffix == ".json":
                    json.loads(file.read_text(encoding="utf-8"))
                elif file.suffix == ".npz":
                    with np.load(file, allow_pickle=False) as arrays:
                        _ = dict(arrays)
                elif file.suffix == ".npy":
                    np.load(file, allow_pickle=False)
            except ValueError as error:
                subject.require(False, f"save wrote {file.name}, which needs pickle or cannot be read: {error}")


@model_rule("saved files that are damaged or missing are refused", "saves")
def _damage_is_refused(subject: ModelUnderTest) -> None:
    with _saved(subject) as (model, folder, files):
        for file in files:
            whole = file.read_bytes()
            middle = len(whole) // 2
            altered = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
            for what, data in (("with an altered byte", altered), ("cut in half", whole[:middle])):
                file.write_bytes(data)
                _require_refused(subject, model, folder, f"{file.name} {what}")
            file.unlink()
            _require_refused(subject, model, folder, f"a folder without {file.name}")
            file.write_bytes(whole)


@model_rule("empty folders and those of another kind of model are refused", "saves")
def _other_kinds_are_refused(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    with TemporaryDirectory() as name:
        folder = Path(name)
        _require_refused(subject, model, folder, "an empty folder")
        save_parts(folder, "no-such-plugin.no-such-model.1", {"numbers": np.zeros(3)})
        _require_refused(subject, model, folder, "what another kind of model saved")


@contextmanager
def _saved(subject: ModelUnderTest) -> Iterator[tuple[Any, Path, list[Path]]]:
    """Save a fitted model for a while; give it, its folder and the files in that."""
    model = subject.fitted(described_ratings())
    with TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder)
        yield model, folder, sorted(path for path in folder.rglob("*") if path.is_file())


def _loaded(subject: ModelUnderTest, model: Any) -> Any:
    """Save a model and load it; the files are gone before it is queried."""
    advice = "has save, but no load; define the class method load(cls, directory) beside it"
    subject.require(callable(getattr(type(model), "load", None)), advice)
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        return type(model).load(Path(folder))


def _identical(before: Any, after: Any) -> bool:
    """Return whether arrays are equal to the bit, NaN equalling NaN."""
    return before.dtype == after.dtype and np.array_equal(before, after, equal_nan=True)


def _require_identical(subject: ModelUnderTest, before: Mapping[str, Any], after: Mapping[str, Any], what: str) -> None:
    for name, array in before.items():
        advice = "to the bit means that every array is saved in its own precision and order"
        subject.require(name in after and _identical(array, after[name]), f"{what} ({name}); {advice}")


def _require_refused(subject: ModelUnderTest, model: Any, folder: Path, what: str) -> None:
    advice = "refuse it with cfbench.model.StoreError: cfbench.model.load_parts does"
    try:
        type(model).load(folder)
    except CfbenchError:
        return
    except Exception as error:
        met = f"{subject.name}: load meets {what} with {type(error).__name__}: {error}"
        raise AssertionError(f"{met}; {advice}") from error
    subject.require(False, f"load takes {what}; {advice}")


def require_the_same_in_a_new_process(model: Any, train: Ratings) -> None:
    """Save a fitted ``model``, load it in a new Python process and compare the output of both, to the bit.

    All pairs are predicted and all users' items scored, unknown codes included. The class must be importable by its
    name. It takes as long as starting Python and importing the model's libraries: once or twice for a distribution
    is enough, the conformance checks load every model in their own process.

    Raises AssertionError where the other process fails or its output differs.
    """
    codes, cls = all_codes(train), type(model)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        model.save(folder / "model")
        program = f"import sys; from {__name__} import query_saved; query_saved(*sys.argv[1:])"
        command = [sys.executable, "-c", program, cls.__module__, cls.__name__, name, *(str(len(one)) for one in codes)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 - ours
        if done.returncode != 0:
            raise AssertionError(f"{cls.__name__} cannot be loaded and queried in a new process:\n{done.stderr}")
        with np.load(folder / "outputs.npz", allow_pickle=False) as found:
            for method, output in outputs(model, *codes).items():
                if not _identical(output, found[method]):
                    raise AssertionError(f"{cls.__name__}.{method} gives another output in a new process")


def query_saved(module: str, class_name: str, folder: str, *sizes: str) -> None:
    """Load the model in ``folder`` and write its output for codes below ``sizes``; called in the new process."""
    model = getattr(import_module(module), class_name).load(Path(folder) / "model")
    users, items = (np.arange(int(size), dtype=np.int32) for size in sizes)
    np.savez(f"{folder}/outputs.npz", allow_pickle=False, **outputs(model, users, items))
