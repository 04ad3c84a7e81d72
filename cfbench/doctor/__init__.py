"""Checks of an installation and its machine, each finding with its remedy."""
