"""Parsed data sets in binary form: one ``.npy`` per column, memory-mapped on load.

Layout of ``<cache>/parsed/<key>/``: ``meta.json``, sealed, and ``<number>.npy``. The key hashes the source and its
parameters; the identity of the input files (path and digest) stands in ``meta.json``, so a changed input replaces its
entry instead of adding one. Digests are remembered in ``<cache>/digests/``. Whatever is damaged or foreign is rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.sources.source import Storage
from cfbench.files.digests import FileDigests
from cfbench.files.guarded_reading import MEBIBYTE, parse_json, read_plain, require_plain
from cfbench.files.locks import owned_folder, sweep
from cfbench.model.ratings import RatingScale

SCHEMA = 3
"""Version of the layout; raise it when the layout or the meaning of a column changes."""

_LARGEST_META = 64 * MEBIBYTE
_PREFIX = ".new-"  # of the name of a folder in which an entry is made
_PARTS = _FRESH, _OLD = "entry", "old"
_AT_ONCE = 4  # columns written or checked at the same time

_log = logging.getLogger(__name__)


def cached(source: object, storage: Storage, inputs: Iterable[Path], build: Callable[[], Dataset]) -> Dataset:
    """Return the data set of ``source`` from the cache, or ``build`` it and keep it there.

    Args:
        source: a dataclass; its type and field values are the key.
        storage: names the cache folder.
        inputs: the files that ``build`` reads; a change in path or content rebuilds.
        build: reads the data. Its errors pass through; nothing is kept then.

    A cache folder that cannot be written costs a log message, not the data.
    """
    paths = [path.resolve() for path in inputs]
    identity = _identity(source)
    key = json.dumps([identity["source"], identity["params"], [*map(str, paths)]])
    entry = storage.cache_dir / "parsed" / hashlib.sha256(key.encode()).hexdigest()[:32]
    memory = storage.cache_dir / "digests" / f"{entry.name}.json"
    identity["inputs"] = _digests(paths, memory)
    with suppress(OSError):
        sweep(entry.parent, _PREFIX, _PARTS)  # also where nothing is to be written: what was replaced may be large
    if (kept := _loaded(entry, identity)) is not None:
        return kept
    dataset = build()
    if _digests(paths, memory) != identity["inputs"]:  # changed while it was read: nobody knows what was
        return dataset
    try:
        _store(entry, identity, dataset)
    except OSError as error:
        _log.warning("parsed data of %r not cached in %s: %s", dataset.name, entry.parent, error)
    return dataset


def _digests(paths: Iterable[Path], memory: Path) -> list[list[str | None]]:
    """Return path and SHA-256 of each input, None of one that is missing or cannot be read."""
    digests, found = FileDigests(memory), list[list[str | None]]()
    for path in paths:
        digest = None
        with suppress(OSError):
            digest = digests.of(path)
        found.append([str(path), digest])
    digests.save()
    return found


def _identity(source: object) -> dict[str, Any]:
    """Return as JSON values what the stored data depend on, beside the input files."""
    assert is_dataclass(source)
    assert not isinstance(source, type)
    identity = {
        "schema": SCHEMA,
        "cfbench": version("cfbench"),
        "source": f"{type(source).__module__}:{type(source).__qualname__}",
        "params": asdict(source),
    }
    return dict(json.loads(json.dumps(identity, sort_keys=True)))


def _store(entry: Path, identity: Mapping[str, Any], dataset: Dataset) -> None:
    """Write beside ``entry``, flush to disk, then move into place: a reader sees all of it or nothing."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with owned_folder(entry.parent, _PREFIX, _PARTS) as work:
        fresh = work / _FRESH
        fresh.mkdir(mode=0o700)

        def write(path: Path, column: NDArray[Any]) -> list[Any]:
            with path.open("wb") as out:
                np.save(out, column, allow_pickle=False)
                out.flush()
                os.fsync(out.fileno())
            size = path.stat().st_size
            return [path.name, size, _checksum(np.ascontiguousarray(column)), column.dtype.str, list(column.shape)]

        columns = _columns(dataset)
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # hashing, checking and writing run at the same time
            facts = pool.submit(_facts, dataset)
            paths = [fresh / f"{number}.npy" for number in range(len(columns))]
            files = dict(zip(columns, pool.map(write, paths, columns.values()), strict=True))
        meta = {"identity": identity, "dataset": facts.result(), "columns": files}
        with (fresh / "meta.json").open("w", encoding="utf-8") as out:
            json.dump({**meta, "seal": _seal(meta)}, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        # Readers of an older entry keep their mapped files. There may be none, or another process may be faster: then
        # it has just put the same data there.
        with suppress(FileNotFoundError):
            entry.rename(work / _OLD)
        try:
            fresh.rename(entry)
        except OSError:
            if not entry.exists():
                raise


def _loaded(entry: Path, identity: Mapping[str, Any]) -> Dataset | None:
    """Return the stored data set, or None where there is none, or not of this identity, or damaged."""

    def read(file: list[Any]) -> NDArray[Any]:
        """Map a column into memory as ``meta.json`` has it: a header that was altered is not even read."""
        name, size, checksum, dtype, shape = file
        path = entry / Path(name).name
        require_plain(path, size)
        if path.stat().st_size != size:
            raise ValueError(f"{name} has {path.stat().st_size} bytes instead of {size}")
        column: NDArray[Any] = np.empty(shape, dtype=dtype)
        if column.nbytes:
            column = np.memmap(path, dtype, "r", size - column.nbytes, tuple(shape)).view(np.ndarray)
        if _checksum(column) != checksum:
            raise ValueError(f"{name} does not have the checksum it was written with")
        return column

    try:
        meta = parse_json(read_plain(entry / "meta.json", _LARGEST_META))
        if meta["identity"] != identity:
            return None
        if meta.pop("seal") != _seal(meta):
            raise ValueError("meta.json was altered after it was written")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            columns = dict(zip(meta["columns"], pool.map(read, meta["columns"].values()), strict=True))
        return _restored(meta["dataset"], columns)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("cached data in %s is damaged (%s); reading the source again", entry, error)
        return None


def _seal(meta: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def _checksum(column: NDArray[Any]) -> int:
    return zlib.crc32(column.view(np.uint8).data)


def _facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "scale": [dataset.scale.low, dataset.scale.high],
        "relevant_from": dataset.relevant_from,
        "origin": asdict(dataset.origin),
        "folds": list(dataset.folds),
        "fingerprint": dataset.fingerprint,
    }


def _columns(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """Return every array of ``dataset`` under a key that ``_restored`` understands."""
    found = {name: getattr(dataset, name) for name in ("user_index", "item_index", "ratings", "timestamps")}
    columns: dict[str, NDArray[Any]] = {name: column for name, column in found.items() if column is not None}
    for kind, entities in (("users", dataset.users), ("items", dataset.items)):
        columns[f"{kind}/ids"] = entities.ids
        columns |= {f"{kind}/column/{name}": column for name, column in entities.columns.items()}
    for name, fold in dataset.folds.items():
        columns |= {f"fold/train/{name}": fold.train_rows, f"fold/test/{name}": fold.test_rows}
    return columns


def _restored(facts: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> Dataset:
    dataset = Dataset(
        name=facts["name"],
        users=_entities("users", columns),
        items=_entities("items", columns),
        user_index=columns["user_index"],
        item_index=columns["item_index"],
        ratings=columns["ratings"],
        timestamps=columns.get("timestamps"),
        scale=RatingScale(*facts["scale"]),
        relevant_from=facts["relevant_from"],
        origin=Origin(**facts["origin"]),
        folds={
            name: PublishedFold(columns[f"fold/train/{name}"], columns[f"fold/test/{name}"]) for name in facts["folds"]
        },
    )
    # Hashing 25 million rows takes seconds; the checksums above vouch for the content that was hashed.
    dataset.__dict__["fingerprint"] = facts["fingerprint"]
    return dataset


def _entities(kind: str, columns: Mapping[str, NDArray[Any]]) -> Entities:
    prefix = f"{kind}/column/"
    return Entities(
        columns[f"{kind}/ids"],
        {key.removeprefix(prefix): column for key, column in columns.items() if key.startswith(prefix)},
    )
