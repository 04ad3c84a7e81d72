"""Seeds derived from named coordinates, so that no cell's randomness depends on another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from cfbench.spec import Value


def derived_seed(base: int, **coordinates: str | int | Mapping[str, Value]) -> int:
    """Return a seed in [0, 2**63) from sha256 over ``base`` and the named coordinates.

    Equal coordinates give equal seeds on any machine; changing one changes the seed.
    """
    text = json.dumps({"base": base, **coordinates}, sort_keys=True, default=dict)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
