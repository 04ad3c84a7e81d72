"""Which way is better, in words."""

from __future__ import annotations

BETTER = {"lower": "lower is better", "higher": "higher is better"}
"""By a contract's direction; what is missing has no better."""
