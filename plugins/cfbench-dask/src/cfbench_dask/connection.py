"""The way to a cluster: a client of the scheduler that the user names, or of one that is started here."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from distributed import Client, LocalCluster
from distributed.comm.addressing import resolve_address
from distributed.versions import VersionMismatchWarning

from cfbench.errors import UsageError

_CONNECT, _CLOSE = 7.0, 2.0  # seconds
_NOTHING_PICKLED = ("dask", "msgpack")
_NOISY = ("distributed", "tornado")


@asynccontextmanager
async def connected(scheduler: str | None, jobs: int, workspace: Path) -> AsyncIterator[Client]:
    """Connect to ``scheduler``, or to a cluster of this machine with ``jobs`` workers where it is None.

    Files of that cluster lie in ``workspace``, and go with it where the run is killed. What tasks return is refused
    unless it is plain data: nothing of it is unpickled. Raises UsageError where no scheduler answers.
    """
    if scheduler is not None:
        async with _client(scheduler) as client:
            yield client
        return
    workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cfbench-dask-", dir=workspace) as folder:
        async with (
            LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=False,  # cells have processes of their own
                asynchronous=True,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                local_directory=folder,
                memory_limit=None,
                scheduler_kwargs={"local_directory": folder},
                silence_logs=False,
            ) as cluster,
            _client(cluster.scheduler_address) as client,
        ):
            yield client


@asynccontextmanager
async def _client(address: str) -> AsyncIterator[Client]:
    with _refusing(address):
        resolve_address(address)  # a client that is given nonsense cannot be closed
    client = Client(
        address,
        asynchronous=True,
        timeout=_CONNECT,
        set_as_default=False,
        name="cfbench",
        deserializers=_NOTHING_PICKLED,
    )
    try:
        with _refusing(address), warnings.catch_warnings():
            # what must be the same everywhere is compared per worker, and told by name
            warnings.simplefilter("ignore", VersionMismatchWarning)
            await asyncio.wait_for(client, _CONNECT + 1)  # what is no scheduler may accept, and say nothing
        yield client
    finally:
        with suppress(OSError):
            await asyncio.wait_for(client.close(), _CLOSE)


@contextmanager
def _refusing(address: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address} ({_first_line(error)}); expected an address like "
            "tcp://host:8786, as `dask scheduler` prints it or cluster.scheduler_address says"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask from logging to the terminal: what matters to the run is told by the run."""
    handlers = {
        handler: handler.level
        for name, logger in list(logging.root.manager.loggerDict.items())
        if name.partition(".")[0] in _NOISY and isinstance(logger, logging.Logger)
        for handler in logger.handlers
    }
    try:
        for handler in handlers:
            handler.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for handler, level in handlers.items():
            handler.setLevel(level)
