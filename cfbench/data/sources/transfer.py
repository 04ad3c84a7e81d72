"""Bringing one file over the network: by https, also where it is redirected, and no more of it than expected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from cfbench.errors import DataError

_TIMEOUT = 30  # seconds without an answer or a byte
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def transfer(url: str, out: Path, most: int) -> None:
    """Write what ``url`` holds to ``out``.

    Plain http is taken from this machine alone, where nobody can alter it on its way.

    Raises:
        DataError: the address, or one that it redirects to, is not https, or there are more than ``most`` bytes.
        OSError: the host cannot be reached or has no such file, or ``out`` cannot be written.
    """
    import pooch  # noqa: PLC0415 - brings an HTTP library that only a download needs

    own = _is_own(url)
    _require_https(url, own)

    def check_redirect(response: Any, *_: object, **__: object) -> None:
        if response.is_redirect:
            _require_https(urljoin(response.url, response.headers["location"]), own)

    with out.open("wb") as file:
        get = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(), timeout=_TIMEOUT, hooks={"response": check_redirect}
        )
        try:
            get(url, _Bounded(file, most), None)
        except ValueError as error:  # an answer that is no proper HTTP
            raise DataError(f"the answer cannot be understood: {error}") from error


def _is_own(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def _require_https(url: str, own: bool) -> None:
    """Raise DataError unless ``url`` is https, or plain http on this machine where ``own`` says that it began there."""
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (own and scheme == "http" and _is_own(url)):
        raise DataError(f"{url[:200]!r} is not https, and nothing else is downloaded from")


class _Bounded:
    """A file that takes up to ``most`` bytes."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._left = file, most

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise DataError("the file is larger than it should be; the download was ended")
        self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
