"""Small data with times, and the command line in a process of its own, for runs that several tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

COMMAND = (sys.executable, "-m", "cfbench")


@pytest.fixture(scope="session")
def write_ratings() -> Callable[..., Path]:
    """Write a CSV file of ratings of 1 to 5 with times: users and items differ in how much they give and get."""

    def write(path: Path, seed: int = 0, n_users: int = 50, n_items: int = 30, n_ratings: int = 700) -> Path:
        rng = np.random.default_rng(seed)
        pairs = rng.permutation(n_users * n_items)[:n_ratings]
        users, items = np.divmod(pairs, n_items)
        generous, good = rng.normal(0, 0.7, n_users), rng.normal(0, 0.9, n_items)
        ratings = np.clip(np.rint(3.2 + generous[users] + good[items] + rng.normal(0, 0.5, n_ratings)), 1, 5)
        times = 1_000_000_000 + 60 * rng.permutation(n_ratings)
        columns = zip(users, items, ratings, times, strict=True)
        lines = [f"u{user},i{item},{rating:g},{time}" for user, item, rating, time in columns]
        path.write_text("\n".join(["user_id,item_id,rating,timestamp", *lines, ""]))
        return path

    return write


@pytest.fixture(scope="session")
def call_cfbench() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in folder ``cwd``, with the plugins in ``home`` on the path, and check its exit code."""

    def call(cwd: Path, *arguments: str, home: Path | None = None, code: int = 0, command=COMMAND):
        path = {} if home is None else {"PYTHONPATH": str(home)}
        environ = {**os.environ, "PYTHONWARNINGS": "error", **path}
        done = subprocess.run(
            [*command, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return call
