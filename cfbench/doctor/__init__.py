"""Checks of an installation and its machine: what is wrong, and how to mend it."""
