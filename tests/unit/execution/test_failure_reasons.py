"""Reasons of failures: what was raised, where it says little, and what a confined cell was refused."""

from __future__ import annotations

import errno
import queue
import socket

import pytest

from cfbench.errors import ModelError
from cfbench.execution.failure_reasons import failure_of, lacks_memory, reason_of, refusal
from cfbench.execution.sandbox import PROTECTIONS


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        try:
            if cause is not None:
                raise cause
        finally:
            raise error
    except BaseException as caught:  # noqa: BLE001 - SystemExit among them
        return caught


class Unspeakable(OSError):
    @property
    def errno(self):
        raise RuntimeError("no number")

    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("a\n b"), "ValueError: a b"),
        (ModelError("what we say"), "what we say"),
        (EOFError(), "EOFError, raised in test_failure_reasons.py, line "),
        (AssertionError(" "), "AssertionError, raised in test_failure_reasons.py, line "),
        (SystemExit(3), "SystemExit: 3, raised in test_failure_reasons.py, line "),
        (Unspeakable(), "Unspeakable: its message cannot be told (RuntimeError)"),
    ],
)
def test_a_reason_is_one_line_with_its_place_where_it_says_little(error, reason):
    assert reason_of(raised(error), __name__.partition(".")[0]).rstrip("0123456789") == reason


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")


class Unnamed(Exception, metaclass=Nameless):
    pass


class Interrupts(Exception):
    def __str__(self):
        raise KeyboardInterrupt


class Pretends(Exception):
    @property
    def __class__(self):
        raise RuntimeError("no class")


@pytest.mark.parametrize("kind", [Unnamed, Interrupts, Pretends], ids=["unnamed", "interrupts", "pretends"])
def test_an_error_that_cannot_be_told_is_a_failure_of_its_class(kind):
    name = type.__dict__["__name__"].__get__(kind)
    assert failure_of(raised(kind()), "", ()) == ("failed", f"an error that cannot be told, {name}")


def test_a_failure_is_told_where_its_traceback_cannot_be_printed(monkeypatch, tmp_path):
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr("sys.stderr", log)
    status, reason = failure_of(raised(PermissionError(errno.EACCES, "Permission denied")), "", PROTECTIONS)
    assert status == "failed"
    assert reason.startswith("PermissionError: [Errno 13] Permission denied; cfbench confines cells")


def test_the_place_is_the_last_of_the_models_own_package_or_else_the_last():
    with pytest.raises(queue.Empty) as caught:
        queue.Queue().get_nowait()
    own, other = (reason_of(caught.value, package) for package in (__name__.partition(".")[0], "another"))
    assert own.startswith("Empty, raised in test_failure_reasons.py, line ")
    assert other.startswith("Empty, raised in queue.py, line ")


def test_a_reason_is_bounded():
    assert len(reason_of(ValueError("x" * 10_000), "")) < 510


FILES, NETWORK = "write their own files alone", "--allow-network"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (raised(PermissionError(errno.EACCES, "Permission denied", "/etc/shadow")), FILES),
        (raised(RuntimeError("fit failed"), OSError(errno.EPERM, "no")), FILES),
        (raised(RuntimeError("cannot open x: Permission denied (13)")), FILES),
        (raised(RuntimeError("unable to open shared memory object </torch_1>: Permission denied")), "multiprocessing"),
        (raised(RuntimeError("Cannot resolve 127.0.0.1 to a (local) address")), NETWORK),
        (raised(ValueError("no weights"), socket.gaierror(-3, "Temporary failure in name resolution")), NETWORK),
    ],
)
def test_a_refusal_in_the_chain_of_an_error_is_told_with_what_to_read(error, told):
    words = refusal(error, PROTECTIONS)
    assert words.startswith("cfbench confines cells: ")
    assert told in words
    assert words.endswith("docs/plugins.md, or try --executor in-process")
    assert refusal(error, ()) == ""


@pytest.mark.parametrize("error", [ValueError("no"), FileNotFoundError(2, "x"), EOFError(), Unspeakable()])
def test_nothing_is_said_of_other_errors(error):
    assert refusal(raised(error), PROTECTIONS) == ""


def test_an_allowed_network_that_is_not_there_is_no_refusal():
    assert refusal(raised(socket.gaierror(-3, "Temporary failure in name resolution")), {"writes", "reads"}) == ""


def test_an_error_that_is_its_own_cause_is_looked_at_but_not_for_ever():
    error = ValueError("round")
    error.__cause__ = error
    assert not lacks_memory(error)
    assert refusal(error, PROTECTIONS) == ""
