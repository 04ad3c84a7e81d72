"""Watching a run: what its cells do right now, what is left, where the time went, and who else is told."""
