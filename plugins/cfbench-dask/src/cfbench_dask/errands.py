"""What the run asks of a worker: functions that Dask calls there, of plain text and bytes only."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

from cfbench.execution.task import Outcome, Task, answers_in, saved_in
from cfbench_dask.inventory import Inventory
from cfbench_dask.parcel import Parcel
from cfbench_dask.post import Post

TOPIC = "cfbench"
"""Under which workers report how their cells go on; one for all runs, since a scheduler remembers every topic."""

_LARGEST_TOKEN = 100  # bytes
_POSTS: dict[tuple[str, str], Post] = {}  # by worker, of which a process may hold several, and run
_LOCK = threading.Lock()


async def add_cold_entities(session: str, models: str, token_file: str, dask_worker: Worker) -> str:
    """Open a post for a run; tell its token, what is installed here, and what ``token_file`` holds, if it is seen."""
    return await asyncio.to_thread(_introduce, session, models, token_file, dask_worker)


def _introduce(session: str, models: str, token_file: str, worker: Worker) -> str:
    has = Inventory.of_this_machine((str(home), str(model)) for home, model in json.loads(models))
    token = uuid.uuid4().hex
    root = Path(worker.local_directory) / f"cfbench-{token}"
    try:
        post = Post(root, token, partial(_report, worker, session))
    except OSError as error:
        return json.dumps({"wrong": f"cannot make {root}: {error.strerror or error}"})
    with _LOCK:
        for key in [key for key, one in _POSTS.items() if not one.open]:
            del _POSTS[key]
        old, _POSTS[worker.id, session] = _POSTS.get((worker.id, session)), post
    if old is not None:
        old.close()
    return json.dumps({"post": token, "has": has.told(), "seen": _content(token_file)})


def store(session: str, post: str, split: str, parcel: str, position: int, piece: bytes, dask_worker: Worker) -> str:
    """Take a piece of a split's questions; tell what went wrong, where anything did."""
    mine = _post(dask_worker, session, post)
    if mine is None:
        return json.dumps({"gone": "it no longer works for this run"})
    try:
        questions, files = mine.questions(split), Parcel.heard(json.loads(parcel))
        if position == 0:
            shutil.rmtree(questions, ignore_errors=True)
            files.lay_out(questions)
        files.put(questions, position, piece)
        if position + len(piece) >= files.size and not files.intact(questions):
            return json.dumps({"wrong": "the data arrived damaged"})
    except OSError as error:
        return json.dumps({"wrong": f"cannot keep the data in {mine.root}: {error.strerror or error}"})
    return json.dumps({})


def carry_out(session: str, post: str, task: str, split: str) -> str:
    """Carry out a task on the questions of ``split`` that are kept here, on those it names itself where empty.

    The one errand that is a task for Dask too: it takes its turn, and a thread, among the worker's others. Returns what
    came of it; :func:`fetch` gives its answers.
    """
    mine = _post(get_worker(), session, post)
    fields = json.loads(task)
    if mine is None:
        return json.dumps({"gone": "it no longer works for this run"})
    if split:
        fields["inputs"] = str(mine.questions(split))
    try:
        outcome = mine.carry_out(Task.of(fields))
        return json.dumps({"gone": "it was told to end"} if outcome is None else _handed_over(outcome))
    except OSError as error:
        return json.dumps({"wrong": f"cannot work in {mine.root}: {error.strerror or error}"})


def fetch(session: str, post: str, name: str, parcel: str, position: int, dask_worker: Worker) -> bytes:
    """Return a piece of a cell's answers; they are removed here with the last."""
    mine = _post(dask_worker, session, post)
    if mine is None:
        return b""
    files, output = Parcel.heard(json.loads(parcel)), mine.output(name)
    try:
        piece = files.piece(output, position)
    except OSError:  # a post that closes takes its files along
        return b""
    if position + len(piece) >= files.size:
        shutil.rmtree(output, ignore_errors=True)
    return piece


def forget(session: str, split: str, dask_worker: Worker) -> None:
    """Remove the questions of a split that no cell needs any more."""
    post = _POSTS.get((dask_worker.id, session))
    if post is not None:
        shutil.rmtree(post.questions(split), ignore_errors=True)


def renew(session: str, dask_worker: Worker) -> None:
    """Keep the run's post open."""
    post = _POSTS.get((dask_worker.id, session))
    if post is not None:
        post.renew()


async def dismiss(session: str, dask_worker: Worker) -> None:
    """End what is left of a run here."""
    with _LOCK:
        post = _POSTS.pop((dask_worker.id, session), None)
    if post is not None:
        await asyncio.to_thread(post.close)


def _post(worker: Worker, session: str, token: str) -> Post | None:
    """Return the run's post, unless it is another than the caller means: a worker may have been started again."""
    post = _POSTS.get((worker.id, session))
    return post if post is not None and post.token == token else None


def _report(worker: Worker, session: str, news: list[Any]) -> None:
    worker.log_event(TOPIC, {"session": session, "worker": worker.address, "news": news})


def _content(token_file: str) -> str:
    try:
        with Path(token_file).open("rb") as file:
            return file.read(_LARGEST_TOKEN).decode("ascii", "replace")
    except OSError:
        return ""


def _handed_over(outcome: Outcome) -> Mapping[str, Any]:
    """Say what came of a task, and leave its log beside its answers and its saved model, and nothing else."""
    task = outcome.task
    output = Path(task.output)
    wanted = {answers_in(task).name, saved_in(task).name} if outcome.status == "ok" else set()
    for entry in output.iterdir():
        if entry.name not in wanted:
            _remove(entry)
    shutil.move(task.log, output / "log")
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "answers": [] if outcome.answers is None else list(outcome.answers.arrays()),
        "cost": asdict(outcome.cost),
        "losses": [asdict(epoch) for epoch in outcome.losses],
        "versions": dict(outcome.versions),
        "log_tail": outcome.log_tail,
        "parcel": Parcel.of(output).told(),
    }


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
