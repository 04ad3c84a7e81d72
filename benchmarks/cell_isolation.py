"""What a process per cell costs, and what a second job brings.

Two questions, each answered by whole commands that alternate within one run:

* A suite of many tiny cells: seconds of the run per cell after the first, cells in processes of their own against cells
  in the run's own process. The difference is what isolation costs a cell.
* A suite of twenty cells of equal weight: wall seconds of ``--jobs 2`` over those of ``--jobs 1``, CPU seconds beside
  them, and whether all figures are equal.

    python benchmarks/cell_isolation.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TINY = "synthetic[n_users=200,n_items=100,n_ratings=4000]"
HEAVY = "synthetic[n_users=3000,n_items=1500,n_ratings=200000]"
TORCH = "dot-bias[epochs=1,n_factors=4]"
TWENTY = "dot-bias,dot,bias-svd,als"


def run(*arguments: str) -> tuple[float, float, dict]:
    """Run once in a folder of its own; return wall seconds, CPU seconds and all figures but those of cost."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cfbench", "run", "-o", folder, "--metric", "RMSE,NDCG@10", *arguments]
        wall, cpu = time.perf_counter(), sum(os.times()[2:4])
        subprocess.run(command, check=True, capture_output=True)
        taken = time.perf_counter() - wall, sum(os.times()[2:4]) - cpu
        lines = map(json.loads, (Path(folder) / "records.jsonl").read_text("utf-8").splitlines())
        records = [line for line in lines if line["kind"] == "record"]
        figures = {json.dumps(one["cell"], sort_keys=True): one["metrics"] for one in records}
        return *taken, figures


def seconds_per_cell(executor: str, cells: int) -> float:
    """Return the seconds that every further cell adds to a run of one, which has paid for torch and the rest."""
    arguments = ("-d", TINY, "-m", TORCH, "--executor", executor)
    first, _, _ = run(*arguments)
    many, _, _ = run(*arguments, "--repeats", str(1 + cells))
    return (many - first) / cells


def print_isolation(rounds: int, cells: int = 20) -> None:
    """Print what a cell costs with and without a process of its own."""
    apart, within = [], []
    for _ in range(rounds):
        apart.append(seconds_per_cell("processes", cells))
        within.append(seconds_per_cell("in-process", cells))
        print(f"a further torch cell: {apart[-1]:.3f} s in a process of its own, {within[-1]:.3f} s in the run's")
    print(f"isolation costs {statistics.median(apart) - statistics.median(within):.3f} s per cell after the first")


def print_jobs(rounds: int) -> None:
    """Print what a second job brings to twenty cells."""
    arguments = ("-d", HEAVY, "-s", "kfold[k=5]", "-m", TWENTY)
    ratios = []
    for _ in range(rounds):
        one, one_cpu, alone = run(*arguments, "--jobs", "1")
        two, two_cpu, beside = run(*arguments, "--jobs", "2")
        ratios.append(two / one)
        print(
            f"20 cells: {one:.1f} s ({one_cpu:.1f} CPU s) with one job, {two:.1f} s ({two_cpu:.1f} CPU s) with two = "
            f"{ratios[-1]:.2f}x; figures {'equal' if alone == beside else 'DIFFER'}"
        )
    print(f"median: {statistics.median(ratios):.2f}x")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print_isolation(rounds)
    print_jobs(rounds)


if __name__ == "__main__":
    main()
