"""Rules on saved models: what they load as, what their files are, and which files they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.errors import CfbenchError
from cfbench.model.ratings import Ratings
from cfbench.model.saving import save_parts
from cfbench.testing.example_ratings import cold_entities, described_ratings
from cfbench.testing.model_under_test import ModelUnderTest, all_codes, all_outputs, model_rule, outputs
from cfbench.testing.output_rules import codes_with

_NEEDED = ("saves",)
_ARRAYS = {".npz", ".npy", ".safetensors"}


@model_rule("a loaded model gives the output of the saved one, to the bit", _NEEDED)
def _outputs_are_kept(subject: ModelUnderTest) -> None:
    train = described_ratings()
    model = subject.fitted(train)
    before = all_outputs(model, train)
    loaded = _loaded(subject, model)
    _require_identical(subject, before, all_outputs(model, train), "save changes later output; only write, never learn")
    _require_identical(
        subject, before, all_outputs(loaded, train), "a loaded model gives another output than the saved one"
    )


@model_rule("a loaded model has the parameters of the saved one", _NEEDED)
def _parameters_are_kept(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    loaded = _loaded(subject, model)
    for parameter, before in subject.parameters(model).items():
        after = getattr(loaded, parameter)
        subject.require(
            after == before and type(after) is type(before),
            f"has {parameter}={before!r} when it is saved and {after!r} when it is loaded; save the parameters too "
            "(JSON makes lists of tuples)",
        )


@model_rule("a loaded model takes cold-start entities as the saved one does, to the bit", ("saves", "cold-entities"))
def _cold_entities_after_loading(subject: ModelUnderTest) -> None:
    train, features = described_ratings(), cold_entities()
    model = subject.fitted(train)
    loaded = _loaded(subject, model)
    codes = codes_with(train, *features)
    for one in (model, loaded):
        one.add_cold_entities(*features)
    _require_identical(
        subject,
        outputs(model, *codes),
        outputs(loaded, *codes),
        "a loaded model gives another output than the saved one after add_cold_entities",
    )


@model_rule("a loaded model has the embeddings of the saved one, to the bit", ("saves", "embeddings"))
def _embeddings_are_kept(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    before, after = (
        {name: np.asarray(part) for name, part in vars(one.embeddings()).items() if part is not None}
        for one in (model, _loaded(subject, model))
    )
    _require_identical(subject, before, after, "a loaded model has other embeddings than the saved one")


@model_rule("saved files are arrays and JSON, never pickle", _NEEDED)
def _files_are_arrays_and_json(subject: ModelUnderTest) -> None:
    with _saved(subject) as (_, _, files):
        subject.require(files, "save wrote no file")
        for file in files:
            subject.require(
                file.suffix in _ARRAYS | {".json"},
                f"save wrote {file.name}; write arrays ({', '.join(sorted(_ARRAYS))}) and .json, never pickle: "
                "cfbench.model.save_parts does",
            )
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


@model_rule("saved files that are damaged or missing are refused", _NEEDED)
def _damage_is_refused(subject: ModelUnderTest) -> None:
    with _saved(subject) as (model, folder, files):
        for file in files:
            whole = file.read_bytes()
            middle = len(whole) // 2
            for what, data in (
                ("with an altered byte", whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]),
                ("cut in half", whole[:middle]),
            ):
                file.write_bytes(data)
                _require_refused(subject, model, folder, f"{file.name} {what}")
            file.unlink()
            _require_refused(subject, model, folder, f"a folder without {file.name}")
            file.write_bytes(whole)


@model_rule("empty folders and those of another kind of model are refused", _NEEDED)
def _other_kinds_are_refused(subject: ModelUnderTest) -> None:
    model = subject.fitted(described_ratings())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _require_refused(subject, model, folder, "an empty folder")
        save_parts(folder, "no-such-plugin.no-such-model.1", {"numbers": np.zeros(3)})
        _require_refused(subject, model, folder, "what another kind of model saved")


@contextmanager
def _saved(subject: ModelUnderTest) -> Iterator[tuple[Any, Path, list[Path]]]:
    """Save a fitted model for a while; give it, its folder and the files in that."""
    model = subject.fitted(described_ratings())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder)
        yield model, folder, sorted(path for path in folder.rglob("*") if path.is_file())


def _loaded(subject: ModelUnderTest, model: Any) -> Any:
    """Save a model and load it; the files are gone before it is queried."""
    subject.require(
        callable(getattr(type(model), "load", None)),
        "has save, but no load; define the class method load(cls, directory) beside it",
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return type(model).load(Path(folder))


def _require_identical(subject: ModelUnderTest, before: dict[str, Any], after: dict[str, Any], advice: str) -> None:
    """Require arrays equal to the bit, NaN equalling NaN."""
    for name, array in before.items():
        other = after.get(name)
        subject.require(
            other is not None and other.dtype == array.dtype and np.array_equal(array, other, equal_nan=True),
            f"{advice} ({name}); to the bit means that every array is saved in its own precision and order",
        )


def _require_refused(subject: ModelUnderTest, model: Any, folder: Path, what: str) -> None:
    advice = "refuse it with cfbench.model.StoreError: cfbench.model.load_parts does"
    try:
        type(model).load(folder)
    except CfbenchError:
        return
    except Exception as error:
        raise AssertionError(f"{subject.name}: load meets {what} with {type(error).__name__}: {error}; {advice}") from (
            error
        )
    subject.require(False, f"load takes {what}; {advice}")


def require_the_same_in_a_new_process(model: Any, train: Ratings) -> None:
    """Save a fitted ``model``, load it in a new Python process and compare the output of both, to the bit.

    All pairs are predicted and all users' items scored, unknown codes included. The class must be importable by its
    name. It takes as long as starting Python and importing the model's libraries: once or twice for a distribution
    is enough, the conformance checks load every model in their own process.

    Raises AssertionError where the other process fails or its output differs.
    """
    users, items = all_codes(train)
    cls = type(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        model.save(folder / "model")
        np.savez(folder / "queries.npz", allow_pickle=False, users=users, items=items)
        program = f"import sys; from {__name__} import query_saved; query_saved(*sys.argv[1:])"
        command = [sys.executable, "-c", program, cls.__module__, cls.__name__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode != 0:
            raise AssertionError(f"{cls.__name__} cannot be loaded and queried in a new process:\n{done.stderr}")
        with np.load(folder / "outputs.npz", allow_pickle=False) as found:
            for method, output in outputs(model, users, items).items():
                if found[method].dtype != output.dtype or not np.array_equal(found[method], output, equal_nan=True):
                    raise AssertionError(f"{cls.__name__}.{method} gives another output in a new process")


def query_saved(module: str, class_name: str, folder: str) -> None:
    """Load the model that ``folder`` holds and write its output there; called in the new process."""
    with np.load(f"{folder}/queries.npz", allow_pickle=False) as queries:
        users, items = queries["users"], queries["items"]
    model = getattr(import_module(module), class_name).load(Path(folder) / "model")
    np.savez(f"{folder}/outputs.npz", allow_pickle=False, **outputs(model, users, items))
