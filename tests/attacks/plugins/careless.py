"""Honest models that use what a confined cell does not have, as code written outside of cfbench does."""

import concurrent.futures
import multiprocessing
import socket
import subprocess
import sys
import time
from multiprocessing import pool, shared_memory
from pathlib import Path

import numpy as np


class _Careless:
    def fit(self, train, context):
        self.work()
        self.mean_ = train.mean

    def predict(self, users, items):
        return np.full(len(users), self.mean_)

    def work(self):
        raise NotImplementedError


class Pools(_Careless):
    def work(self):
        multiprocessing.Pool(2)


class ThreadPools(_Careless):
    def work(self):
        pool.ThreadPool(2)


class Executors(_Careless):
    def work(self):
        with concurrent.futures.ProcessPoolExecutor(1) as workers:
            workers.submit(abs, -1).result()


class Managers(_Careless):
    def work(self):
        multiprocessing.get_context("fork").Manager()


class Shares(_Careless):
    def work(self):
        shared_memory.SharedMemory(create=True, size=100)


class Connects(_Careless):
    def work(self):
        socket.create_connection(("127.0.0.1", 9))


class Resolves(_Careless):
    def work(self):
        try:
            socket.getaddrinfo("example.org", 443)
        except OSError as error:
            raise RuntimeError("the weights cannot be fetched") from error


class Caches(_Careless):
    def work(self):
        Path("/tmp/careless-model.npy").write_bytes(b"weights")


class Starts(_Careless):
    def work(self):
        script = Path("script.sh")
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        subprocess.run(["./script.sh"], check=True)


class Silent(_Careless):
    def work(self):
        raise EOFError


class Leaves(_Careless):
    def work(self):
        sys.exit(3)


class Stops(_Careless):
    def work(self):
        time.perf_counter = time.process_time = iter(range(0, -1_000_000, -1000)).__next__


class ThreadsOnly(_Careless):
    def work(self):
        with concurrent.futures.ThreadPoolExecutor(2) as workers:
            assert list(workers.map(abs, (-1, 1))) == [1, 1]
