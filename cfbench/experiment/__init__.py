"""Experiments: a suite becomes a plan of cells."""
