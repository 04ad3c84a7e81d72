"""Seconds and peak memory of every stage of a run, from 100,000 to 25 million made-up ratings.

    python benchmarks/scale.py --folder FOLDER                                # 100k, 1M, 5M, 25M: about 25 minutes
    python benchmarks/scale.py --folder FOLDER --rows 1000000 --stages load csv split
    python benchmarks/scale.py --folder FOLDER --rows 25000000 --run          # `cfbench run` from end to end

FOLDER takes up to 4 GB for 25 million rows and is worth keeping: data are drawn once. Users and items are as many as
MovieLens 25M has for as many ratings (160,000 and 60,000 for 25 million).

Every stage runs in a process of its own, so that its peak (VmHWM, mapped files included) is its own; imports and
compilation are outside the clock, models have one thread. Loops that learn by epochs are held against the plainest loop
that one would write (``bare_loops.py``) on the same rows, one after the other; an epoch is the fastest after the first.
Readers of text are held against pandas' typed C reader, in turns, the fastest of three each; the file has been read
before. Stages need those before them: ``fit`` the questions, ``measure`` the answers of ``fit``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from watching import peaks_of

SIZES = (100_000, 1_000_000, 5_000_000, 25_000_000)
STAGES = ("generate", "load", "csv", "split", "questions", "fit", "measure")
MODELS = ("bias", "als", "sgd-mf", "dot-bias")
WITH_BARE_LOOP = ("sgd-mf", "dot-bias")
_READERS = ("csv-pandas", "csv-read", "csv-load")
_TURNS = 3
_COLUMNS = ("seconds", "CPU s", "peak GiB", "fit s", "predict s", "rank s", "epoch s", "epoch CPU s", "measure s")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Facts = dict[str, float]


def main() -> None:
    """Run the stages that were asked for, size by size, and print a line for each."""
    arguments = _arguments()
    if arguments.child:
        _as_child(arguments.folder, arguments.rows[0], arguments.child)
        return
    for rows in arguments.rows:
        folder = (arguments.folder / f"{rows}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.run:
            end_to_end(folder, rows, arguments.models)
            continue
        print(f"\n| {rows:,} ratings | {' | '.join(_COLUMNS)} |\n|---{'|---:' * len(_COLUMNS)}|", flush=True)
        for stage in arguments.stages:
            for name, facts in _stage(stage, folder, rows, arguments.models):
                cells = (f"{facts[column]:.2f}" if column in facts else "" for column in _COLUMNS)
                print(f"| {name} | {' | '.join(cells)} |", flush=True)


def end_to_end(folder: Path, rows: int, models: Sequence[str]) -> None:
    """Run everything as users do and print seconds and the peak of each process."""
    from scale_stages import MODELS as SETTINGS
    from scale_stages import Place

    source = Place(folder, rows).source
    data = f"synthetic[n_users={source.n_users},n_items={source.n_items},n_ratings={source.n_ratings}]"
    command = [sys.executable, "-m", "cfbench", "run", "-d", data, "-o", str(folder / "run"), "--force"]
    for model in models:
        inline = ",".join(f"{name}={value}" for name, value in SETTINGS[model][1].items())
        command += ["-m", f"{model}[{inline}]" if inline else model]
    start = time.perf_counter()
    peaks = peaks_of(command, os.environ | {"CFBENCH_CACHE": str(folder / "cache")})
    print(f"{' '.join(command[1:])}\n{time.perf_counter() - start:.0f} s")
    for what, peak in peaks.items():
        print(f"{what:<20} {peak / 2**30:.2f} GiB")


def _stage(stage: str, folder: Path, rows: int, models: Sequence[str]) -> Iterator[tuple[str, Facts]]:
    if stage == "csv":
        yield from _readers(folder, rows)
    elif stage in ("fit", "measure"):
        for model in models:
            ours = _child(folder, rows, f"{stage}:{model}")
            yield f"{stage} {model}", ours
            if stage == "fit" and model in WITH_BARE_LOOP:
                bare = _child(folder, rows, f"bare:{model}")
                yield f"bare loop of {model}", bare
                yield "ratio", {part: ours[part] / bare[part] for part in ("epoch s", "epoch CPU s")}
    else:
        yield stage, _child(folder, rows, stage)


def _readers(folder: Path, rows: int) -> Iterator[tuple[str, Facts]]:
    if not (folder / "ratings.csv").exists():
        yield "write-csv", _child(folder, rows, "write-csv")
    turns = [{reader: _child(folder, rows, reader) for reader in _READERS} for _ in range(_TURNS)]
    best = {reader: min((turn[reader] for turn in turns), key=lambda facts: facts["seconds"]) for reader in _READERS}
    yield from best.items()
    for reader in _READERS[1:]:
        parts = ("seconds", "CPU s", "peak GiB")
        yield f"{reader} / csv-pandas", {part: best[reader][part] / best["csv-pandas"][part] for part in parts}


def _child(folder: Path, rows: int, stage: str) -> Facts:
    command = [sys.executable, __file__, "--folder", str(folder), "--rows", str(rows), "--child", stage]
    environment = os.environ | dict.fromkeys(_THREADS, "1")
    told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    facts: Facts = json.loads(told.splitlines()[-1])
    return facts


def _as_child(folder: Path, rows: int, stage: str) -> None:
    from scale_stages import OF_MODELS, Place
    from scale_stages import STAGES as ALONE

    kind, _, model = stage.partition(":")
    place = Place(folder, rows)
    print(json.dumps(OF_MODELS[kind](place, model) if model else ALONE[kind](place)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Growth of time and memory with the number of ratings.")
    parser.add_argument("--folder", type=Path, required=True, help="where data and answers are kept")
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="numbers of ratings")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="which stages (default all)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="which models (default all)")
    parser.add_argument("--run", action="store_true", help="`cfbench run` from end to end instead of stages")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
